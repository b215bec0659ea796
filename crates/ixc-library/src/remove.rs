//! Pictures leave the library. Their files stay.

use std::path::Path;

use crate::{Entry, Error, Id, Library, rows::Rows};

impl Library {
    /// Takes pictures out, all of them or none; the same number twice is once. Returns what they were.
    ///
    /// # Errors
    /// When the library has no picture of one of the numbers, or the database refuses.
    pub fn remove(&mut self, ids: &[Id]) -> Result<Vec<Entry>, Error> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let (file, commit) = (self.file.clone(), self.failed("remove pictures"));
        let change = self.change()?;
        let rows = Rows { db: &change, file: &file };
        let mut removed = Vec::new();
        for id in ids {
            let entry = rows.by_id(id)?.ok_or(Error::NoPicture { id })?;
            rows.delete(&entry)?;
            removed.push(entry);
        }
        change.commit().map_err(commit)?;
        Ok(removed)
    }

    /// The pictures of a file, or of all files below a folder, whether these are still there or not.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn below(&self, path: &Path) -> Result<Vec<Id>, Error> {
        let Some(kept) = self.kept(path) else { return Ok(Vec::new()) };
        let all = self.paths()?;
        Ok(all
            .into_iter()
            .filter(|(_, path)| Path::new(path).starts_with(&kept))
            .map(|(id, _)| id)
            .collect())
    }

    /// The pictures whose files are no longer there.
    ///
    /// # Errors
    /// When the database refuses.
    pub fn gone(&self) -> Result<Vec<Id>, Error> {
        let all = self.paths()?;
        Ok(all
            .into_iter()
            .filter(|(_, path)| !self.root.join(path).exists())
            .map(|(id, _)| id)
            .collect())
    }

    fn paths(&self) -> Result<Vec<(Id, String)>, Error> {
        let failed = self.failed("list the pictures");
        let mut select =
            self.db.prepare("SELECT id, path FROM picture ORDER BY id").map_err(&failed)?;
        let rows =
            select.query_map([], |row| Ok((Id(row.get(0)?), row.get(1)?))).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}
