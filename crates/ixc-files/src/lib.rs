//! Files and folders that are there as a whole or not at all.
//!
//! What is written lies under a hidden name beside its place, goes to the disk, and only then gets its
//! name; the folder goes to the disk last. So what was there stays whole until the new file is, whatever
//! stops the program or the machine. Deliberately absent: what the files hold, and when one may be replaced.

use std::{
    io::{self, BufWriter},
    path::Path,
};

use tempfile::{NamedTempFile, TempDir, TempPath};

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A new file in the folder, under a hidden name; gone when dropped.
///
/// # Errors
/// When the folder is not there or takes no file.
pub fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ixc-").suffix(".part");
    #[cfg(unix)]
    {
        // As any new file: the user's mask decides, rather than "nobody but me".
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// A new folder in another, under a hidden name; gone with all that is in it when dropped.
///
/// # Errors
/// When the folder is not there or takes none.
pub fn folder_beside(folder: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ixc-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o777)); // as above
    }
    builder.tempdir_in(folder)
}

/// Everything to the disk; the name comes later.
///
/// # Errors
/// When the disk refuses; nothing is left then.
pub fn finish(out: BufWriter<NamedTempFile>) -> io::Result<TempPath> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    Ok(file.into_temp_path())
}

/// Makes a folder's new names durable.
///
/// # Errors
/// When the disk refuses.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    std::fs::File::open(folder).and_then(|folder| folder.sync_all())?;
    #[cfg(not(unix))]
    let _ = folder; // such systems keep names by themselves
    Ok(())
}

/// Writes a file beside its place and then gives it the name, in place of what is there.
///
/// # Errors
/// When `fill` fails or the disk refuses. What was there is then still there, but where only the last
/// step fails: then the new file is in its place, and may not be there after a loss of power.
pub fn replace(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
) -> io::Result<()> {
    filled(path, fill)?.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// As [`replace`], where nothing may be yet.
///
/// # Errors
/// As [`replace`]; [`io::ErrorKind::AlreadyExists`] when something has that name.
pub fn create(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
) -> io::Result<()> {
    filled(path, fill)?.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

fn filled(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<NamedTempFile>) -> io::Result<()>,
) -> io::Result<TempPath> {
    let mut out = BufWriter::new(beside(folder_of(path))?);
    fill(&mut out)?;
    finish(out)
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, |out| out.write_all(b"first")).unwrap();
        let failed = replace(&path, |out| {
            out.write_all(&[7; 100_000])?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"first");
        replace(&path, |out| out.write_all(b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(replace(&path.join("below a file"), |_| Ok(())).is_err());
        let there = create(&path, |out| out.write_all(b"third")).unwrap_err();
        assert_eq!(there.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"second");
        create(&folder.path().join("new"), |out| out.write_all(b"third")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("name")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/name")), Path::new("a"));
    }
}
