//! A server for tests: keeps values by key, or does whatever a test wants done.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use larder_resp::{Args, Limits, Parsed, Reply, RequestParser, Version};

/// Answers one request; false closes the connection instead of going on.
pub(super) trait Answer: FnMut(Args<'_>, &mut Reply<'_>) -> bool + Send + 'static {}

impl<F: FnMut(Args<'_>, &mut Reply<'_>) -> bool + Send + 'static> Answer for F {}

/// Serves on a free loopback port until the test process ends; returns `host:port`.
pub(super) fn serve(answer: impl Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(Mutex::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            thread::spawn(move || converse(stream, &answer));
        }
    });
    address
}

fn converse(mut stream: TcpStream, answer: &Mutex<impl Answer>) {
    let mut parser = RequestParser::new(Limits::default());
    let (mut input, mut out, mut chunk) = (Vec::new(), Vec::new(), vec![0; 1 << 16]);
    loop {
        while let Parsed::Request { args, consumed } = parser.parse(&input).unwrap() {
            let mut reply = Reply::new(&mut out, Version::V2);
            let go_on = answer.lock().unwrap()(args, &mut reply);
            input.drain(..consumed);
            if !go_on {
                return;
            }
        }
        // A client that has gone, or gives up, is no concern of the server's.
        if stream.write_all(&out).is_err() {
            return;
        }
        out.clear();
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => input.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Keeps everything, or the `entries_max` used last.
#[derive(Default)]
pub(super) struct Store {
    values: HashMap<Vec<u8>, (Vec<u8>, u64)>,
    used: u64,
    entries_max: Option<usize>,
}

impl Store {
    pub(super) fn lru(entries_max: usize) -> Self {
        Self {
            entries_max: Some(entries_max),
            ..Self::default()
        }
    }

    pub(super) fn answer(&mut self, args: Args<'_>, reply: &mut Reply<'_>) {
        self.used += 1;
        let key = &args[1];
        match args.name() {
            b"GET" => match self.values.get_mut(key) {
                Some((value, used)) => {
                    *used = self.used;
                    reply.bulk(value);
                }
                None => reply.null(),
            },
            b"SET" => {
                self.values
                    .insert(key.to_vec(), (args[2].to_vec(), self.used));
                if self.entries_max.is_some_and(|max| self.values.len() > max) {
                    self.evict();
                }
                reply.ok();
            }
            b"DEL" => reply.integer(i64::from(self.values.remove(key).is_some())),
            _ => reply.error("ERR unknown command"),
        }
    }

    fn evict(&mut self) {
        let oldest = self.values.iter().min_by_key(|(_, (_, used))| *used);
        let oldest = oldest.map(|(key, _)| key.clone());
        oldest.and_then(|key| self.values.remove(&key));
    }
}
