//! A small web server: takes what is posted, and answers 200.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

use super::wait::SOON;

/// A request with a body.
#[derive(Debug)]
pub struct Posted {
    /// Its first line.
    pub request: String,
    /// The value of Content-Type.
    pub content_type: String,
    /// Its body.
    pub body: Vec<u8>,
}

/// A web server on a port of its own.
pub struct Web {
    addr: SocketAddr,
    posted: Receiver<Posted>,
    thread: Option<JoinHandle<()>>,
}

impl Web {
    /// Starts it.
    pub fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = listener.local_addr().expect("an address");
        let (sender, posted) = channel();
        let thread = thread::spawn(move || {
            for connection in listener.incoming() {
                let Some(posted) = connection.ok().and_then(read) else { break };
                if sender.send(posted).is_err() {
                    break;
                }
            }
        });
        Web { addr, posted, thread: Some(thread) }
    }

    /// Where it is: `127.0.0.1:8080`.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next request; panics when none comes.
    pub fn next(&self) -> Posted {
        self.posted.recv_timeout(SOON).expect("a request to the web server")
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // A connection without a request ends it.
        drop(TcpStream::connect(self.addr));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads the one request of a connection and answers it.
fn read(connection: TcpStream) -> Option<Posted> {
    connection.set_read_timeout(Some(SOON)).ok()?;
    let mut reader = BufReader::new(connection.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(1..) if !line.trim().is_empty() => lines.push(line.trim().to_owned()),
            Ok(1..) => break,
            _ => return None,
        }
    }
    let header = |wanted: &str| {
        let pairs = lines.iter().filter_map(|line| line.split_once(':'));
        let mut values = pairs.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        values.next().map(|(_, value)| value.trim().to_owned())
    };
    let mut writer = connection;
    if header("Expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = vec![0; header("Content-Length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").ok()?;
    Some(Posted { request: lines.first()?.clone(), content_type: header("Content-Type").unwrap_or_default(), body })
}
