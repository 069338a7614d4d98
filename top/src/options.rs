//! The command line.

use std::time::Duration;

use lexopt::{Arg, ValueExt as _};

use crate::model::Settings;
use crate::rpc::Address;

const HELP: &str = "\
b2b-top shows what the Kamailio module presence_b2b does.

  --socket PATH     datagram socket of jsonrpcs (default: /run/kamailio/kamailio_rpc.sock)
  --url URL         http:// URL that leads to jsonrpcs, instead of a socket
  --interval SECS   time between two looks at the server, 0.5 to 3600 (default: 2)
  --filter F        only subscriptions with this, such as package=presence (may be repeated)
  --rows N          subscriptions of a page, 1 to 1000 (default: 60; with --once 100)
  --write           allows r (send a SUBSCRIBE now) and e (end), each after a question
  --once            prints a table and ends
  --json            with --once: prints one JSON document
  --help, --version

Without --once, ? shows the keys. The colours are off if NO_COLOR is set.
";

/// What the command line asks for.
pub enum Wanted {
    /// The program.
    Run(Options),
    /// The help or the version.
    Text(String),
}

/// The options of a run.
pub struct Options {
    pub address: Address,
    pub once: bool,
    pub json: bool,
    pub settings: Settings,
}

impl Options {
    /// Reads the command line; an error is a sentence without its full stop.
    pub fn read(parser: lexopt::Parser) -> Result<Wanted, String> {
        parse(parser)
    }
}

fn parse(mut parser: lexopt::Parser) -> Result<Wanted, String> {
    let (mut socket, mut url, mut rows) = (None, None, None);
    let (mut once, mut json, mut write) = (false, false, false);
    let (mut interval, mut filters) = (2.0, Vec::new());
    let said = |error: lexopt::Error| crate::text::clean(&error.to_string());
    while let Some(argument) = parser.next().map_err(said)? {
        let name = match argument {
            Arg::Long(name) => name.to_owned(),
            Arg::Short('h') => "help".to_owned(),
            Arg::Short('V') => "version".to_owned(),
            other => return Err(said(other.unexpected())),
        };
        let mut value = || {
            let value = parser.value().and_then(|value| value.string());
            value.map_err(|error| format!("--{name}: {}", crate::text::clean(&error.to_string())))
        };
        match name.as_str() {
            "socket" => socket = Some(value()?),
            "url" => url = Some(url_of(value()?)?),
            "interval" => interval = interval_of(&value()?)?,
            "filter" => filters.push(filter_of(value()?)?),
            "rows" => rows = Some(rows_of(&value()?)?),
            "write" => write = true,
            "once" => once = true,
            "json" => json = true,
            "help" => return Ok(Wanted::Text(HELP.to_owned())),
            "version" => return Ok(Wanted::Text(format!("b2b-top {}\n", env!("CARGO_PKG_VERSION")))),
            _ => return Err(format!("there is no option --{}", crate::text::clean(&name))),
        }
    }
    if json && !once {
        return Err("--json needs --once".into());
    }
    let address = match (socket, url) {
        (Some(_), Some(_)) => return Err("--socket and --url exclude each other".into()),
        (Some(path), None) => Address::Socket(path),
        (None, Some(url)) => Address::Url(url),
        (None, None) => Address::default(),
    };
    let rows = rows.unwrap_or(if once { 100 } else { 60 });
    let settings = Settings { interval: Duration::from_secs_f64(interval), filters, rows, write };
    Ok(Wanted::Run(Options { address, once, json, settings }))
}

fn interval_of(value: &str) -> Result<f64, String> {
    let seconds = value.parse().ok().filter(|seconds| (0.5..=3600.0).contains(seconds));
    seconds.ok_or_else(|| format!("--interval is \"{value}\", but must be 0.5 to 3600 seconds"))
}

fn rows_of(value: &str) -> Result<usize, String> {
    let rows = value.parse().ok().filter(|rows| (1..=1000).contains(rows));
    rows.ok_or_else(|| format!("--rows is \"{value}\", but must be 1 to 1000"))
}

fn url_of(value: String) -> Result<String, String> {
    match value.starts_with("http://") {
        true => Ok(value),
        false => Err(format!("--url is \"{value}\", but must begin with http:// (there is no TLS: use an ssh tunnel)")),
    }
}

fn filter_of(value: String) -> Result<String, String> {
    match value.split_once('=') {
        Some((name, text)) if !name.is_empty() && !text.is_empty() => Ok(value),
        _ => Err(format!("--filter is \"{value}\", but must be a name and a value, such as package=presence")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Result<Options, String> {
        match parse(lexopt::Parser::from_args(arguments))? {
            Wanted::Run(options) => Ok(options),
            Wanted::Text(text) => Err(text),
        }
    }

    #[test]
    fn options_are_read_and_checked() {
        let options =
            of(&["--socket", "/x", "--interval=0.5", "--filter", "state=waiting", "--write"]).expect("options");
        assert_eq!((options.address, options.once), (Address::Socket("/x".into()), false));
        assert_eq!((options.settings.interval, options.settings.rows), (Duration::from_millis(500), 60));
        assert_eq!((options.settings.filters, options.settings.write), (vec!["state=waiting".to_owned()], true));
        assert_eq!(of(&["--once"]).expect("options").settings.rows, 100);
        for (arguments, said) in [
            (&["--interval", "0.1"][..], "--interval is \"0.1\", but must be 0.5 to 3600 seconds"),
            (&["--interval", "nan"], "--interval is \"nan\""),
            (&["--rows", "0"], "--rows is \"0\", but must be 1 to 1000"),
            (&["--url", "https://a"], "must begin with http://"),
            (&["--url", "http://a", "--socket", "/b"], "exclude each other"),
            (&["--json"], "--json needs --once"),
            (&["--filter", "waiting"], "must be a name and a value"),
            (&["--nonsense"], "--nonsense"),
            (&["more"], "more"),
            (&["--socket"], "--socket"),
            (&["--help"], "--interval SECS"),
            (&["--version"], "b2b-top 0.1.0"),
        ] {
            let error = of(arguments).err().unwrap_or_else(|| panic!("{arguments:?} is taken"));
            assert!(error.contains(said), "{arguments:?}: {error}");
        }
    }

    /// The page and the help have the same options.
    #[test]
    fn the_page_has_every_option() {
        let page =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/b2b-top.md")).expect("the page");
        let names = |text: &str| -> std::collections::BTreeSet<String> {
            let words = text.split(|letter: char| letter != '-' && !letter.is_ascii_lowercase());
            words.filter(|word| word.starts_with("--") && word.len() > 3).map(str::to_owned).collect()
        };
        let (_, table) = page.split_once("## Options\n").expect("the options");
        let rows: String =
            table.split("\n## ").next().unwrap_or_default().lines().filter_map(|line| line.split('|').nth(1)).collect();
        assert_eq!(names(&rows), names(HELP));
    }
}
