//! A real MQTT broker and a real client of it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tempfile::TempDir;

use crate::support::address::own_ip;
use crate::support::wait::{SOON, eventually};

/// The port of MQTT.
const PORT: u16 = 1883;

/// A broker (mosquitto) on an address of its own.
pub struct Broker {
    /// Its address.
    pub ip: Ipv4Addr,
    process: Child,
    _dir: TempDir,
}

impl Broker {
    /// Starts it.
    pub fn start() -> Broker {
        Broker::at(own_ip())
    }

    /// Starts it on this address.
    pub fn at(ip: Ipv4Addr) -> Broker {
        let dir = TempDir::with_prefix("broker-").expect("a folder");
        let file = dir.path().join("mosquitto.conf");
        fs::write(&file, format!("listener {PORT} {ip}\nallow_anonymous true\npersistence false\n")).expect("a file");
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("mosquitto can be executed");
        eventually(SOON, "the broker listens", || TcpStream::connect((ip, PORT)).ok());
        Broker { ip, process, _dir: dir }
    }

    /// A client (`mosquitto_sub`) of all topics of that pattern.
    pub fn client(&self, topics: &str) -> Client {
        // It writes a line when it is complete, as to a terminal.
        let mut command = Command::new("stdbuf");
        command.args([
            "-oL",
            "mosquitto_sub",
            "-h",
            &self.ip.to_string(),
            "-t",
            topics,
            "-q",
            "1",
            "-F",
            "%t %p",
            "-d",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("mosquitto_sub can be executed");
        let said = BufReader::new(process.stdout.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || said.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let client = Client { process, lines };
        while !client.line().starts_with("Subscribed ") {}
        client
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// A client of a broker.
pub struct Client {
    process: Child,
    lines: Receiver<String>,
}

impl Client {
    fn line(&self) -> String {
        self.lines.recv_timeout(SOON).expect("a line of mosquitto_sub")
    }

    /// The next message: topic and payload.
    pub fn next(&self) -> (String, String) {
        loop {
            // Its own protocol is told as well, in lines that begin with "Client".
            if let Some((topic, payload)) = self.line().split_once(' ').filter(|(first, _)| *first != "Client") {
                return (topic.to_owned(), payload.to_owned());
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}
