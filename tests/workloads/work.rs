// A static Rust program: threads and channels, a child, files, TCP on loopback.
// Prints what it takes the machine for, then ok.
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::{env, fs, thread};

fn threads() {
    let (tell, hear) = mpsc::channel();
    let all: Vec<_> = (0..8u64)
        .map(|i| {
            let tell = tell.clone();
            thread::spawn(move || tell.send((0..1000 * i).sum::<u64>()).unwrap())
        })
        .collect();
    drop(tell);
    assert_eq!(hear.iter().count(), 8);
    for t in all {
        t.join().unwrap();
    }
}

fn files() {
    let dir = env::temp_dir().join("rust-work");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("a"), "x").unwrap();
    fs::rename(dir.join("a"), dir.join("b")).unwrap();
    assert_eq!(fs::read_to_string(dir.join("b")).unwrap(), "x");
    fs::remove_dir_all(&dir).unwrap();
}

fn child() {
    let out = Command::new("/bin/echo").arg("hi").output().unwrap();
    assert_eq!(out.stdout, b"hi\n");
}

fn loopback() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = server.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let (mut s, _) = server.accept().unwrap();
        let mut b = [0; 4];
        s.read_exact(&mut b).unwrap();
        s.write_all(&b).unwrap();
    });
    let mut s = TcpStream::connect(to).unwrap();
    s.write_all(b"ping").unwrap();
    let mut b = Vec::new();
    s.read_to_end(&mut b).unwrap();
    assert_eq!(b, b"ping");
    answering.join().unwrap();
}

fn main() {
    threads();
    files();
    child();
    loopback();
    println!("cpus {}", thread::available_parallelism().unwrap());
    println!("ok");
}
