//! What a step sends to its gate: any packets, and conversations of TCP and UDP made of right headers and wrong ones. No
//! panic, every answer is a packet for the step, and nothing but the door is reached.
//!
//! Runs in a network of its own (needs root): whatever a packet says, nothing leaves the machine.
#![no_main]
use std::{
    cell::RefCell,
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
};

use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};
use plimsoll_fuzz::text::Quick;
use plimsoll_sandbox::fuzzing::{Gate, texts};

#[derive(Arbitrary, Debug)]
enum Input {
    Texts(String),
    Packets(Vec<Step>),
}

#[derive(Arbitrary, Debug)]
enum Step {
    Raw(Vec<u8>),
    /// A segment of one of four connections; `forth` and `back` shift its numbers from where they should be.
    Segment { which: u8, flags: u8, forth: i16, back: i16, window: u16, options: Vec<u8>, payload: u8 },
    Datagram { port: u16, length: u16, payload: Vec<u8> },
    GoOn,
    Begin,
    /// The service behind the door answers or hangs up.
    Service { hang_up: bool, bytes: u8 },
}

struct Bench {
    gate: Gate,
    door: TcpListener,
    clients: Vec<TcpStream>,
    /// By port of the step: the next number of the step, and the gate's.
    numbers: HashMap<u16, (u32, u32)>,
}

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

const STEP: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
const GATE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);

impl Bench {
    fn new() -> Self {
        // SAFETY: this thread alone moves into the new network, before it has opened any socket.
        unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.expect("run it as root");
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("the ip command");
        assert!(up.success());
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        door.set_nonblocking(true).expect("no waiting");
        let mut bench =
            Self { gate: Gate::new().expect("a pair of sockets"), door, clients: Vec::new(), numbers: HashMap::new() };
        bench.begin();
        bench
    }

    fn address(&self) -> SocketAddr {
        self.door.local_addr().expect("it is bound")
    }

    fn begin(&mut self) {
        let address = self.address();
        self.gate.begin(address);
        self.clients.clear();
        self.numbers.clear();
        while self.door.accept().is_ok() {}
    }

    /// Reads what the step was sent.
    fn hear(&mut self) {
        for answer in self.gate.answers() {
            match answer[0] >> 4 {
                4 => {
                    assert_eq!(answer.len(), usize::from(u16::from_be_bytes([answer[2], answer[3]])));
                    let head = usize::from(answer[0] & 15) * 4;
                    if answer[9] == 6 {
                        let segment = &answer[head..];
                        let number = |at: usize| {
                            u32::from_be_bytes([segment[at], segment[at + 1], segment[at + 2], segment[at + 3]])
                        };
                        let port = u16::from_be_bytes([segment[2], segment[3]]);
                        let data = segment.len() - usize::from(segment[12] >> 4) * 4;
                        let more = u32::from(segment[13] & 2 != 0) + u32::from(segment[13] & 1 != 0);
                        if let Some((_, back)) = self.numbers.get_mut(&port) {
                            *back = number(4).wrapping_add(data as u32).wrapping_add(more);
                        }
                    }
                }
                6 => assert!(answer.len() >= 40),
                version => panic!("an answer of version {version}"),
            }
        }
    }

    fn segment(&mut self, which: u8, flags: u8, forth: i16, back: i16, window: u16, options: &[u8], payload: u8) {
        let source = 40_000 + u16::from(which % 4);
        let port = if which < 200 { self.address().port() } else { 81 };
        let (next, heard) = *self.numbers.entry(source).or_insert((1000, 0));
        let syn = flags & 2 != 0;
        let payload = vec![b'x'; usize::from(payload)];
        let mut options = options[..options.len().min(40)].to_vec();
        options.resize(options.len().next_multiple_of(4), 0);
        let mut segment = Vec::new();
        segment.extend(source.to_be_bytes());
        segment.extend(port.to_be_bytes());
        segment.extend(next.wrapping_add_signed(i32::from(forth)).to_be_bytes());
        segment.extend(heard.wrapping_add_signed(i32::from(back)).to_be_bytes());
        segment.push(((5 + options.len() / 4) as u8) << 4);
        segment.push(flags);
        segment.extend(window.to_be_bytes());
        segment.extend([0; 4]);
        segment.extend(&options);
        segment.extend(&payload);
        if forth == 0 {
            let more = payload.len() as u32 + u32::from(syn) + u32::from(flags & 1 != 0);
            self.numbers.insert(source, (next.wrapping_add(more), heard));
        }
        self.send(6, &segment);
    }

    fn send(&mut self, protocol: u8, payload: &[u8]) {
        let mut packet = vec![0x45, 0];
        packet.extend(((20 + payload.len()) as u16).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, protocol, 0, 0]);
        packet.extend(STEP.octets());
        packet.extend(GATE.octets());
        packet.extend(payload);
        self.gate.send(&packet).expect("the gate lives");
        self.hear();
    }

    fn service(&mut self, hang_up: bool, bytes: u8) {
        while let Ok((client, _)) = self.door.accept() {
            client.set_nonblocking(true).expect("no waiting");
            self.clients.push(client);
        }
        for client in &mut self.clients {
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write(&vec![b'y'; usize::from(bytes) * 16]);
        }
        if hang_up {
            self.clients.pop();
        }
    }
}

fuzz_target!(|input: Input| {
    let _quick = Quick::new();
    let steps = match input {
        Input::Texts(text) => return texts(&text),
        Input::Packets(steps) => steps,
    };
    BENCH.with_borrow_mut(|bench| {
        bench.begin();
        for step in steps.iter().take(64) {
            match step {
                Step::Raw(packet) => bench.gate.send(packet).expect("the gate lives"),
                Step::Segment { which, flags, forth, back, window, options, payload } => {
                    bench.segment(*which, *flags, *forth, *back, *window, options, *payload);
                }
                Step::Datagram { port, length, payload } => {
                    let mut datagram = 50_000_u16.to_be_bytes().to_vec();
                    datagram.extend(port.to_be_bytes());
                    let length = if *length == 0 { (8 + payload.len()) as u16 } else { *length };
                    datagram.extend(length.to_be_bytes());
                    datagram.extend([0, 0]);
                    datagram.extend(payload);
                    bench.send(17, &datagram);
                }
                Step::GoOn => bench.gate.go_on().expect("the gate lives"),
                Step::Begin => bench.begin(),
                Step::Service { hang_up, bytes } => bench.service(*hang_up, *bytes),
            }
            bench.hear();
        }
    });
});
