//! What was seen of a lot is written, within one transaction: new, changed, moved, or as it was.
//!
//! Deliberately absent: reading files.

use std::path::Path;

use super::{Content, Import, Progress, kept};
use crate::{About, Complaint, Entry, Error, Id, Origin, rows::Rows, walk::Candidate};

/// Writes what was seen, within one transaction.
pub(super) struct Taker<'a> {
    pub(super) rows: Rows<'a>,
    pub(super) root: &'a Path,
}

impl Taker<'_> {
    fn kept(&self, candidate: &Candidate) -> String {
        kept(self.root, &candidate.path).expect("checked by the walk")
    }

    /// Takes a file that was read.
    pub(super) fn take(
        &self,
        candidate: &Candidate,
        mut about: About,
        content: Content,
        import: &mut Import<'_>,
    ) -> Result<(), Error> {
        let path = self.kept(candidate);
        let Content { digest, look, size: (width, height), embedded } = content;
        about.fill(embedded);
        let before = self.rows.by_path(&path)?;
        if let Some(twin) =
            self.rows.by_digest(&digest)?.filter(|twin| twin.path != Path::new(&path))
        {
            if let Some(before) = before {
                self.rows.delete(&before)?; // it was another picture
            }
            let moved = !self.root.join(&twin.path).exists();
            let mut now = Entry { ..twin.clone() };
            now.about.fill(about);
            if moved {
                (now.path, now.modified) = (path.into(), candidate.modified);
                import.added.moved += 1;
            } else {
                import.added.duplicates += 1;
                import.tell(Progress::Duplicate { path: &candidate.path, of: twin.id })?;
            }
            return if now == twin { Ok(()) } else { self.rows.update(&twin, &now) };
        }
        let (bytes, modified) = (candidate.bytes, candidate.modified);
        let id = before.as_ref().map_or(Id(0), |before| before.id);
        let sha256 = digest;
        let new =
            Entry { id, path: path.into(), sha256, look, bytes, modified, width, height, about };
        match before {
            None => {
                self.rows.insert(&new)?;
                import.added.added += 1;
            }
            // Touched, and the same: what is said about it may have changed.
            Some(before) if before.sha256 == digest => {
                let touched = Entry { modified, ..before.clone() };
                self.rows.update(&before, &touched)?;
                self.say(touched, new.about, import)?;
            }
            Some(before) => {
                self.rows.update(&before, &new)?;
                import.added.updated += 1;
            }
        }
        Ok(())
    }

    /// Takes what lies beside a file that is as it was.
    pub(super) fn look_again(
        &self,
        candidate: &Candidate,
        about: About,
        import: &mut Import<'_>,
    ) -> Result<(), Error> {
        match self.rows.by_path(&self.kept(candidate))? {
            Some(entry) => self.say(entry, about, import),
            // Another process took it out in between.
            None => {
                let reason = "was removed from the library during the import; add it again".into();
                import.skip(Complaint { path: candidate.path.clone(), reason })
            }
        }
    }

    fn say(&self, entry: Entry, fresh: About, import: &mut Import<'_>) -> Result<(), Error> {
        let now = Entry { about: said_again(&entry.about, fresh), ..entry.clone() };
        if now == entry {
            import.added.unchanged += 1;
            return Ok(());
        }
        import.added.updated += 1;
        self.rows.update(&entry, &now)
    }
}

/// What is known of a picture when it is looked at again: what is said now, and what was known and is not said
/// otherwise. What was given by hand gives way only to what is given by hand; what a model wrote stays behind.
fn said_again(known: &About, mut fresh: About) -> About {
    let by = |about: &About, origin| about.captions.iter().any(|caption| caption.origin == origin);
    if by(known, Origin::Given) && !by(&fresh, Origin::Given) {
        fresh.captions.clear();
    }
    let told = |about: &About| {
        let told = about.captions.iter().filter(|caption| caption.origin != Origin::Model);
        told.cloned().collect::<Vec<_>>()
    };
    if told(&fresh).is_empty() || told(&fresh) == told(known) {
        fresh.captions.clear();
    } else {
        let models = known.captions.iter().filter(|caption| caption.origin == Origin::Model);
        let new: Vec<_> =
            models.filter(|caption| !fresh.captions.contains(caption)).cloned().collect();
        fresh.captions.extend(new);
    }
    fresh.fill(known.clone());
    fresh
}
