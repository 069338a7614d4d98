//! `docs/quick-start.md` as a reader follows it: its configurations in real servers, its commands, and what the page says they show.

use std::collections::VecDeque;
use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::documentation::{Block, blocks, section, text_of};
use crate::support::address::own_ip;
use crate::support::kamailio::Server;
use crate::support::log::Mark;
use crate::support::wait::{SOON, eventually};

const PAGE: &str = "docs/quick-start.md";

/// The page's two addresses, its database and the id of its subscription.
const SERVER: &str = "127.0.0.1";
const NOTIFIER: &str = "127.0.0.2";
const DATABASE: &str = "/var/lib/kamailio/presence_b2b/";
const ID: &str = "1027";

/// What starts the servers, which the test does in its own way.
const STARTS: [&str; 2] = ["mkdir -p ", "kamailio -DD -E -f "];

/// One reader of the page.
struct Reader {
    dir: TempDir,
    own: Ipv4Addr,
    notifier: Ipv4Addr,
    id: String,
}

impl Reader {
    fn new() -> Reader {
        let dir = TempDir::with_prefix("quick-start-").expect("a folder");
        Reader { dir, own: own_ip(), notifier: own_ip(), id: ID.to_owned() }
    }

    /// A text of the page with the reader's own addresses, folder and id.
    fn own(&self, text: &str) -> String {
        let folder = format!("{}/", self.dir.path().display());
        let text = text.replace(NOTIFIER, &self.notifier.to_string()).replace(SERVER, &self.own.to_string());
        text.replace(DATABASE, &folder).replace(ID, &self.id)
    }

    /// A server with a configuration of the page.
    fn start(&self, configuration: &str, ip: Ipv4Addr) -> Server {
        Server::builder().at(ip).whole(&self.own(configuration)).start()
    }

    /// Runs a command of the page; what it says.
    fn run(&self, server: &Server, command: &str) -> String {
        let socket = format!("kamcmd -s unixs:{}/kamailio_ctl", server.dir().display());
        let command = self.own(command).replace("kamcmd", &socket);
        let output = Command::new("bash").arg("-c").arg(&command).current_dir(self.dir.path()).output().expect("bash");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && !said.contains("error"), "{command}: {said}{output:?}");
        said
    }
}

fn await_line(server: &Server, since: Mark, line: &str) {
    eventually(SOON, line, || (!server.log().since(since, line).is_empty()).then_some(()));
}

/// The blocks of the walk, up to its end.
fn walk() -> VecDeque<Block> {
    let page = text_of(PAGE);
    let (walk, _) = page.split_once("\n## In the kamailio.cfg").expect("the end of the walk");
    blocks(walk).into()
}

#[test]
fn the_quick_start_works() {
    let mut reader = Reader::new();
    let mut blocks = walk();
    let mut configurations = Vec::new();
    let (mut server, mut notifier) = (None, None);
    let (mut lines, mut mark) = (0, Mark::default());
    while let Some(block) = blocks.pop_front() {
        match block.language.as_str() {
            // Installing is `make setup`, `make` and `make install`, which are tested elsewhere.
            "sh" => assert!(block.text.contains("\nmake install "), "{}", block.text),
            "kamailio" => configurations.push(block.text),
            "text" if block.text.starts_with("PUBLISH ") => {
                fs::write(reader.dir.path().join("101.sip"), reader.own(&block.text)).expect("a file");
            }
            "text" => {
                lines += 1;
                await_line(server.as_ref().expect("it runs"), mark, reader.own(&block.text).trim_end());
                // The rest of the page happens after a restart.
                if lines == 2 {
                    first_checks(&reader, server.as_ref().expect("it runs"));
                    server.take().expect("it runs").stop();
                    server = Some(reader.start(&configurations[0], reader.own));
                }
            }
            "console" => {
                let is_start = |line: &str| STARTS.iter().any(|start| line.starts_with(start));
                for step in block.text.split("$ ").skip(1) {
                    let (command, shown) = step.split_once('\n').expect("a line");
                    match (is_start(command), command.contains("notifier.cfg"), command.contains("presence_b2b.cfg")) {
                        (true, true, _) => notifier = Some(reader.start(&configurations[1], reader.notifier)),
                        (true, _, true) => server = Some(reader.start(&configurations[0], reader.own)),
                        (true, ..) => {}
                        (false, ..) => {
                            let server = server.as_ref().expect("it runs");
                            mark = server.log().mark();
                            let said = reader.run(server, command);
                            if !shown.is_empty() {
                                assert_eq!((shown, said.trim().is_empty()), ("1027\n", false));
                                reader.id = said.trim().to_owned();
                            }
                        }
                    }
                }
            }
            other => panic!("a block in {other:?}"),
        }
    }
    assert_eq!((lines, configurations.len()), (3, 2));
    let server = server.expect("it runs");
    server.await_no_subscription();
    server.stop();
    notifier.expect("it runs").stop();
}

/// The commands of the table of first checks show what it says.
fn first_checks(reader: &Reader, server: &Server) {
    let page = text_of(PAGE);
    let part = section(&page, "6. First checks");
    let mut checks = 0;
    for row in part.lines().filter(|line| line.contains("| `kamcmd ")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let (command, good) = (cells[1].trim_matches('`'), cells[2]);
        checks += 1;
        let wanted: Vec<&str> = good.split('`').skip(1).step_by(2).filter(|text| text.contains(": ")).collect();
        eventually(SOON, row, || {
            let said = reader.run(server, command);
            wanted.iter().all(|line| said.contains(line)).then_some(())
        });
    }
    assert_eq!(checks, 6);
}

/// The additions of the page, each where the page says, in the configuration that Kamailio's package has installed.
#[test]
fn the_additions_fit_the_installed_configuration() {
    let reader = Reader::new();
    let configurations: Vec<String> =
        walk().into_iter().filter(|block| block.language == "kamailio").map(|block| block.text).collect();
    let notifier = reader.start(&configurations[1], reader.notifier);
    let page = text_of(PAGE);
    let part = section(&page, "In the kamailio.cfg that Kamailio installs");
    let additions: Vec<String> =
        blocks(part).into_iter().filter(|block| block.language == "kamailio").map(|block| block.text).collect();
    let [load, route, event] = &additions[..] else { panic!("not three: {additions:?}") };
    let mut text = fs::read_to_string("/etc/kamailio/kamailio.cfg").expect("the configuration of the package");
    let listen = format!("listen=udp:{SERVER}:5060\n");
    for (place, before) in [
        ("# ----------------- setting module-specific parameters", load),
        ("\t# NAT detection\n\troute(NATDETECT);", route),
        ("loadmodule \"jsonrpcs.so\"", &listen),
    ] {
        let (first, rest) = text.split_once(place).unwrap_or_else(|| panic!("no {place:?}"));
        text = format!("{first}{before}{place}{rest}");
    }
    // The place is the one that the page names.
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what:?}"));
    assert!(at("\troute(REQINIT);") < at("handle_notify()") && at("handle_notify()") < at("\troute(WITHINDLG);"));
    let server = reader.start(&(text + event), reader.own);
    let record = format!("sip:101@{}", reader.notifier);
    let words = [&record, &format!("sip:light@{}", reader.own), "message-summary"];
    let id = server.rpc("presence_b2b.subscribe", json!(words)).expect("an id").as_u64().expect("a number");
    server.await_shown(id, "status", "active");
    let told = format!("{record} is active");
    eventually(SOON, &told, || server.log().text().contains(&told).then_some(()));
    server.stop();
    notifier.stop();
}
