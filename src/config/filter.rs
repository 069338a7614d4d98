//! Filter documents (RFC 4661): `filter`, as often as it is set, is `name=/path/to/file.xml`.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use super::ConfigError;
use crate::document::check_filter;
use crate::grammar::is_token;

/// The largest filter document, in bytes: it travels in a SUBSCRIBE.
const LARGEST: usize = 16 * 1024;

/// A filter document and the name that subscriptions call it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its name, a token.
    pub name: String,
    /// The document as in its file: well-formed XML, a filter-set.
    pub document: Vec<u8>,
}

/// Reads all files.
///
/// # Errors
/// [`ConfigError::Filter`], for the first that is none.
pub(super) fn read(texts: &[String]) -> Result<Vec<Filter>, ConfigError> {
    let mut all: Vec<Filter> = Vec::new();
    for text in texts {
        let wrong = |problem: String| ConfigError::Filter { value: text.clone(), problem };
        let (name, path) = text
            .split_once('=')
            .map(|(name, path)| (name.trim(), path.trim()))
            .filter(|(name, path)| is_token(name.as_bytes()) && path.starts_with('/'))
            .ok_or_else(|| wrong("it must be name=/path/to/file.xml, with a token as its name".to_owned()))?;
        if all.iter().any(|known| known.name == name) {
            return Err(wrong(format!("there is a filter called {name} already")));
        }
        let document = contents(path).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
        check_filter(&document, LARGEST).map_err(|error| wrong(format!("the file is no filter: {error}")))?;
        all.push(Filter { name: name.to_owned(), document });
    }
    Ok(all)
}

/// A regular file, or as much of it as shows that it is too large. Nothing else is waited for: a pipe would hold up the start
/// until it is written to.
fn contents(path: &str) -> std::io::Result<Vec<u8>> {
    let mut document = Vec::new();
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is not a regular file"));
    }
    file.take(LARGEST as u64 + 1).read_to_end(&mut document)?;
    Ok(document)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTER: &str = "<?xml version=\"1.0\"?>\n<f:filter-set xmlns:f=\"urn:ietf:params:xml:ns:simple-filter\"><f:filter id=\"1\"/></f:filter-set>";

    /// The result of a file with this content.
    fn of(content: &[u8]) -> Result<Vec<Filter>, String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("it can be written");
        read(&[format!("open = {}", file.path().display())]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_filter_set_is_taken_as_it_stands() {
        let all = of(FILTER.as_bytes()).expect("a filter");
        assert_eq!(all, [Filter { name: "open".into(), document: FILTER.into() }]);
        assert_eq!(read(&[]), Ok(Vec::new()));
    }

    #[test]
    fn what_is_none_is_refused_with_the_reason() {
        let large = FILTER.replace("?>\n", &format!("?>{}", " ".repeat(LARGEST)));
        for (content, said) in [
            (&b""[..], "the file is no filter: body is empty"),
            (b"hello", "no root element"),
            (&FILTER.as_bytes()[..60], "the file is no filter: line "),
            (
                b"<filter-set/>",
                "root element is \"{}filter-set\", not filter-set in urn:ietf:params:xml:ns:simple-filter",
            ),
            (
                b"<a xmlns=\"urn:ietf:params:xml:ns:simple-filter\"/>",
                "root element is \"{urn:ietf:params:xml:ns:simple-filter}a\"",
            ),
            (b"<!DOCTYPE a><a/>", "DTD"),
            (large.as_bytes(), "larger than the limit of 16384"),
        ] {
            let error = of(content).expect_err("no filter");
            assert!(error.starts_with("modparam filter is \"open = /") && error.contains(said), "{said}: {error}");
        }
        for text in ["", "open", "open=", "open=relative.xml", "=/a", "a b=/a", "a;b=/a"] {
            let error = read(&[text.to_owned()]).expect_err(text).to_string();
            assert!(error.contains("it must be name=/path/to/file.xml"), "{text}: {error}");
        }
        let error = read(&["open=/no/such/file".to_owned()]).expect_err("no file").to_string();
        assert!(error.contains("the file cannot be read: No such file"), "{error}");
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
        for path in [pipe.as_path(), folder.path(), std::path::Path::new("/dev/zero")] {
            let error = read(&[format!("open={}", path.display())]).expect_err("no file").to_string();
            assert!(error.contains("it is not a regular file"), "{error}");
        }
    }

    #[test]
    fn a_name_is_given_once() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), FILTER).expect("it can be written");
        let [one, two] = ["open", "open "].map(|name| format!("{name}={}", file.path().display()));
        let error = read(&[one, two]).expect_err("twice").to_string();
        assert!(error.contains("there is a filter called open already"), "{error}");
    }
}
