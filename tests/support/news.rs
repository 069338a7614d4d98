//! The messages of the event route, as lines of the server's log.

use std::time::Duration;

use super::kamailio::Server;
use super::log::Mark;
use super::wait::{SOON, eventually, until};

/// Makes each message of the event route one line of the log, for [`News`].
pub const TELL: &str = r#"event_route[qsa:notify] {
    xlog("L_NOTICE", "NEWS|$qsa(id)|$qsa(record)|$qsa(status)|$qsa(code)|$qsa(reason)|$qsa(next_attempt)|$qsa(basic)|$qsa(note)|$qsa(fork)|\n");
}"#;

/// One piece of news. What is null there is empty here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// `$qsa(id)`
    pub id: u64,
    /// `$qsa(record)`
    pub record: String,
    /// `$qsa(status)`
    pub status: String,
    /// `$qsa(code)`
    pub code: u16,
    /// `$qsa(reason)`
    pub reason: String,
    /// `$qsa(next_attempt)`
    pub next_attempt: Option<u32>,
    /// `$qsa(basic)`
    pub basic: String,
    /// `$qsa(note)`
    pub note: String,
    /// `$qsa(fork)`
    pub fork: u8,
}

impl News {
    /// All that a server with [`TELL`] has told since `mark`, in order.
    pub fn since(server: &Server, mark: Mark) -> Vec<News> {
        server.log().since(mark, "NEWS|").iter().filter_map(|line| News::parse(line)).collect()
    }

    fn parse(line: &str) -> Option<News> {
        let (_, fields) = line.split_once("NEWS|")?;
        let [id, record, status, code, reason, next_attempt, basic, note, fork, _end] =
            fields.split('|').collect::<Vec<_>>()[..]
        else {
            return None; // still being written
        };
        let text = |field: &str| if field == "<null>" { String::new() } else { field.to_owned() };
        Some(News {
            id: id.parse().expect("an id"),
            record: record.to_owned(),
            status: status.to_owned(),
            code: code.parse().expect("a code"),
            reason: text(reason),
            next_attempt: next_attempt.parse().ok(),
            basic: text(basic),
            note: text(note),
            fork: fork.parse().expect("a number"),
        })
    }
}

/// Reads the news of a server with [`TELL`], one after the other.
pub struct Newsreader<'s> {
    server: &'s Server,
    from: Mark,
    read: usize,
}

impl<'s> Newsreader<'s> {
    /// Reads what is told from now on.
    pub fn new(server: &'s Server) -> Newsreader<'s> {
        Newsreader { server, from: server.log().mark(), read: 0 }
    }

    /// The next piece of news; panics when none comes.
    pub fn next(&mut self, what: &str) -> News {
        self.next_within(SOON, what)
    }

    /// The next piece of news, which may take so long.
    pub fn next_within(&mut self, within: Duration, what: &str) -> News {
        let news = eventually(within, what, || self.all().into_iter().nth(self.read));
        self.read += 1;
        news
    }

    /// All pieces of news so far, read or not.
    pub fn all(&self) -> Vec<News> {
        News::since(self.server, self.from)
    }

    /// Asserts that nothing has been told that was not read, once all that the module was given to tell is in the log.
    pub fn assert_no_more(&self) {
        let mut last = String::new();
        until(SOON, || {
            let trace = self.server.trace();
            let count = |name: &str| trace[name].as_u64().unwrap_or_else(|| panic!("no {name} in {trace}"));
            let told = News::since(self.server, Mark::default()).len() as u64;
            last = format!("{told} told, but {trace}");
            let settled = count("received") == count("delivered") + count("merged") + count("dropped");
            (settled && told == count("delivered")).then_some(())
        })
        .unwrap_or_else(|| panic!("the log does not have all that was delivered: {last}"));
        let all = self.all();
        assert_eq!(all.len(), self.read, "untold: {:?}", all.get(self.read..));
    }
}
