//! Files under `dist/`.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// Writes through a neighbour and a rename, so that a proxy that watches the file never reads half of it;
/// when it has these bytes already, only its time becomes now, by which tests know that it is as new as its sources. Returns whether
/// it wrote.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        let now = fs::File::options().append(true).open(path)?.set_modified(SystemTime::now());
        return now.map(|()| false).with_context(|| format!("touch {}", path.display()));
    }
    let folder = path.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let mut neighbour = path.as_os_str().to_owned();
    neighbour.push(format!(".{}", std::process::id()));
    fs::write(&neighbour, bytes)
        .and_then(|()| fs::rename(&neighbour, path))
        .with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// The SHA-256 of `bytes` in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_as_sha256sum_prints_it() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn unchanged_files_are_new_all_the_same() {
        let folder = std::env::temp_dir().join(format!("meshwhy-dist-{}", std::process::id()));
        let file = folder.join("a/b");
        assert!(write_if_changed(&file, b"one").unwrap());
        let age = |file: &Path| file.metadata().unwrap().modified().unwrap();
        fs::File::options().append(true).open(&file).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(!write_if_changed(&file, b"one").unwrap());
        assert!(age(&file) > SystemTime::UNIX_EPOCH);
        assert!(write_if_changed(&file, b"two").unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.join("a")).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
