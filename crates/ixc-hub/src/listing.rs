//! The hub's description of a model: commit, files, digests, licence.
//!
//! Asked of `{endpoint}/api/models/{repo}/revision/{revision}?blobs=true`. Size, number and names
//! are bounded and checked here, before anything else happens; what leaves this file may be written
//! to disk. Deliberately absent: the choice among the files.

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Ask, Client, read_small};
use ixc_net::{address, words::quoted};

use crate::error::{Error, Result};
use crate::licence::Licence;
use crate::limits::{MAX_LISTED_FILES, MAX_LISTING_BYTES, MAX_LISTING_RETRIES};
use crate::names;
use crate::progress::Watch;
use crate::reference::RepoId;
use crate::refusal::Subject;
use crate::retry::retrying;
use crate::settings::Settings;
use crate::verify::Digest;

/// A model as its hub describes it.
pub(crate) struct Listing {
    /// The commit that the revision means.
    pub(crate) commit: String,
    /// All its files; no name is dangerous or doubled.
    pub(crate) files: Vec<Listed>,
    /// The licence by the card's data, if it names one.
    pub(crate) licence: Licence,
}

/// A file as its hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name, with slashes.
    pub(crate) name: String,
    /// Its bytes, if the hub says.
    pub(crate) size: Option<u64>,
    /// What its bytes must be, if the hub says.
    pub(crate) digest: Option<Digest>,
}

/// The answer's form. All is optional: mirrors leave things out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    sha: Option<String>,
    siblings: Option<Vec<Sibling>>,
    card_data: Option<Value>,
    tags: Option<Value>,
}

/// One file in the answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Lfs>,
}

/// A large file's own particulars.
#[derive(Deserialize)]
struct Lfs {
    sha256: Option<String>,
    size: Option<u64>,
}

/// Asks the hub to describe a revision of a model.
pub(crate) fn fetch(
    client: &Client<'_>,
    settings: &Settings,
    repo: &RepoId,
    revision: &str,
    watch: &mut Watch<'_>,
) -> Result<Listing> {
    let path = format!("/api/models/{repo}/revision/{}?blobs=true", address::segment(revision));
    let subject = Subject { repo: repo.as_str(), revision, file: None };
    let retries = settings.retries.min(MAX_LISTING_RETRIES);
    let bytes = retrying("the listing", retries, settings, watch, |_| {
        let reply = client.send(Ask::Small, &path, &subject)?;
        read_small(reply, MAX_LISTING_BYTES, &format!("the listing of {repo}"))
    })?;
    let listing = parse(&bytes, client.host(), repo)?;
    if names::is_commit(revision) && listing.commit != revision {
        let why = format!("asked for commit {revision}, it describes {}", listing.commit);
        return Err(Error::Protocol { host: client.host().to_owned(), why });
    }
    Ok(listing)
}

/// Reads and checks the answer.
fn parse(bytes: &[u8], host: &str, repo: &RepoId) -> Result<Listing> {
    let protocol = |why: String| Error::Protocol { host: host.to_owned(), why };
    let answer: Answer = serde_json::from_slice(bytes).map_err(|e| {
        protocol(format!(
            "expected the description of {repo} as JSON, found something else at line {}, column {}",
            e.line(),
            e.column()
        ))
    })?;
    let commit = answer.sha.filter(|sha| names::is_commit(sha)).ok_or_else(|| {
        protocol(format!("the description of {repo} has no commit of 40 hexadecimal digits"))
    })?;
    let siblings = answer
        .siblings
        .ok_or_else(|| protocol(format!("the description of {repo} lists no files")))?;
    if siblings.len() > MAX_LISTED_FILES {
        return Err(Error::TooLarge {
            what: format!("the number of files of {repo}"),
            found: siblings.len().to_string(),
            limit: MAX_LISTED_FILES.to_string(),
        });
    }
    let files: Vec<Listed> = siblings.into_iter().map(listed).collect();
    check_names(&files, repo)?;
    let licence = Licence::from_card(answer.card_data.as_ref(), answer.tags.as_ref());
    Ok(Listing { commit, files, licence })
}

/// One file, its digest in the only two forms that count.
fn listed(sibling: Sibling) -> Listed {
    let lfs = sibling.lfs.as_ref();
    let large = lfs.and_then(|lfs| lfs.sha256.as_deref()).and_then(Digest::parse);
    // A large file's blob id is that of its pointer in git, not of its bytes.
    let small = sibling.blob_id.as_deref().and_then(Digest::parse).filter(|_| lfs.is_none());
    let size = lfs.and_then(|lfs| lfs.size).or(sibling.size);
    Listed { name: sibling.rfilename, size, digest: large.or(small) }
}

/// Refuses the whole repository for one dangerous or doubled name.
fn check_names(files: &[Listed], repo: &RepoId) -> Result<()> {
    let hostile =
        |name: &str, why| Error::HostileName { repo: repo.to_string(), name: quoted(name), why };
    let mut seen = std::collections::HashSet::new();
    for Listed { name, .. } in files {
        if let Some(why) = names::danger(name) {
            return Err(hostile(name, why));
        }
        if !seen.insert(name) {
            return Err(hostile(name, "it is listed twice"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(json: &str) -> Result<Listing> {
        parse(json.as_bytes(), "hub.test", &RepoId::new("o/n").unwrap())
    }

    #[test]
    fn files_sizes_and_digests() {
        let (commit, sha1, sha256) = ("c".repeat(40), "1".repeat(40), "2".repeat(64));
        let listing = read(&format!(
            r#"{{"sha":"{commit}","extra":[],"siblings":[
            {{"rfilename":"a","size":3,"blobId":"{sha1}"}},
            {{"rfilename":"b","size":9,"blobId":"{sha1}","lfs":{{"sha256":"{sha256}","size":9,"pointerSize":1}}}},
            {{"rfilename":"c"}},
            {{"rfilename":"d","blobId":"../x","lfs":null}},
            {{"rfilename":"e","blobId":"{sha1}","lfs":{{"sha256":"../../x"}}}}]}}"#
        ))
        .unwrap();
        assert_eq!(listing.commit, commit);
        let digests: Vec<_> = listing.files.iter().map(|f| (f.size, f.digest.clone())).collect();
        assert_eq!(
            digests,
            [
                (Some(3), Some(Digest::GitBlob(sha1))),
                (Some(9), Some(Digest::Sha256(sha256))),
                (None, None),
                (None, None),
                (None, None),
            ]
        );
    }

    #[test]
    fn what_is_not_a_listing() {
        let commit = "c".repeat(40);
        for json in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"sha":"main","siblings":[]}"#,
            &format!(r#"{{"sha":"{commit}"}}"#),
            &format!(r#"{{"sha":"{}","siblings":[]}}"#, "../".repeat(13)),
            &format!(r#"{{"sha":"{commit}","siblings":[{{"rfilename":7}}]}}"#),
            &format!(r#"{{"sha":"{commit}","cardData":{}"#, "[".repeat(10_000)),
        ] {
            let error = read(json).err().expect(json).to_string();
            assert!(error.contains("hub.test") && error.contains("HF_ENDPOINT"), "{error}");
        }
        let twice =
            format!(r#"{{"sha":"{commit}","siblings":[{{"rfilename":"a"}},{{"rfilename":"a"}}]}}"#);
        assert!(read(&twice).err().unwrap().to_string().contains("twice"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever is done to the bytes of a listing: no panic, and nothing dangerous gets through.
        #[test]
        fn broken_listings_stay_harmless(
            edits in prop::collection::vec((0usize..400, any::<u8>()), 1..12),
            cut in 0usize..400,
        ) {
            let (commit, sha256) = ("c".repeat(40), "2".repeat(64));
            let mut json = format!(
                r#"{{"sha":"{commit}","tags":["license:mit"],"siblings":[{{"rfilename":"a/b.json","size":3}},
                {{"rfilename":"w.safetensors","lfs":{{"sha256":"{sha256}","size":9}}}}]}}"#
            )
            .into_bytes();
            for (at, byte) in edits {
                let at = at % json.len();
                json[at] = [byte, b'/', b'.', b'\\', b'"'][usize::from(byte) % 5];
            }
            if cut % 3 == 0 {
                json.truncate(cut);
            }
            if let Ok(listing) = parse(&json, "hub.test", &RepoId::new("o/n").unwrap()) {
                prop_assert!(names::is_commit(&listing.commit));
                prop_assert!(listing.files.iter().all(|f| names::danger(&f.name).is_none()));
            }
        }
    }
}
