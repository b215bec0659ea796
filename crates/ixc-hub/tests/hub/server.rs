//! A small HTTP server for the tests: one thread per connection, one request per connection.
//!
//! It keeps a log of what it was asked and gives whatever the test's function says, including
//! answers that break off, stall, or lie about their length. Deliberately absent: HTTP beyond what
//! a hub's client says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a client asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query, as sent.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The first byte of `Range: bytes=n-`.
    pub(crate) fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What a server answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Close the connection after this many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Be silent for this long before the head.
    pub(crate) stall_head: Option<Duration>,
    /// Be silent for this long after the first half of the body.
    pub(crate) stall_body: Option<Duration>,
    /// Send no Content-Length, so that the body ends with the connection.
    pub(crate) unsized_body: bool,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Response { status, ..Response::default() }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// A running server. Stops when dropped.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let answer: Arc<Answer> = Arc::new(answer);
        let (thread_log, thread_stop) = (log.clone(), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if thread_stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (log, answer) = (thread_log.clone(), answer.clone());
                // A client that goes away in the middle is part of the tests.
                std::thread::spawn(move || drop(serve(stream, &log, &*answer)));
            }
        });
        Server { addr, log, stop }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// All requests so far.
    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    /// Forgets the requests so far.
    pub(crate) fn forget(&self) {
        self.log.lock().unwrap().clear();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<Request>>, answer: &Answer) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let Some(request) = read_request(&mut reader)? else { return Ok(()) };
    log.lock().unwrap().push(request.clone());
    if request.method == "CONNECT" {
        return tunnel(reader, stream, &request.target);
    }
    let response = answer(&request);
    write_response(stream, &response, request.method == "HEAD")
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            None => return Ok(Some(Request { method, target, headers })),
        }
    }
}

fn write_response(
    mut stream: TcpStream,
    response: &Response,
    is_head: bool,
) -> std::io::Result<()> {
    if let Some(stall) = response.stall_head {
        std::thread::sleep(stall);
    }
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", response.status);
    let has_length = response.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
    if !has_length && !response.unsized_body {
        head += &format!("Content-Length: {}\r\n", response.body.len());
    }
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if is_head {
        return Ok(());
    }
    let end = response.cut.unwrap_or(response.body.len()).min(response.body.len());
    let half = if response.stall_body.is_some() { end / 2 } else { 0 };
    stream.write_all(&response.body[..half])?;
    stream.flush()?;
    if let Some(stall) = response.stall_body {
        std::thread::sleep(stall);
    }
    stream.write_all(&response.body[half..end])?;
    stream.flush()
}

/// Plays an HTTP proxy: connects to the target and passes one exchange on.
fn tunnel(mut from: BufReader<TcpStream>, mut to: TcpStream, target: &str) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(target)?;
    to.write_all(b"HTTP/1.1 200 ok\r\n\r\n")?;
    let mut up = upstream.try_clone()?;
    std::thread::spawn(move || std::io::copy(&mut from, &mut up));
    let mut buffer = [0; 4096];
    loop {
        let n = upstream.read(&mut buffer)?;
        if n == 0 {
            return to.shutdown(std::net::Shutdown::Both);
        }
        to.write_all(&buffer[..n])?;
    }
}
