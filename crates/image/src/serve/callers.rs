//! Who may ask the registry for what.
//!
//! It listens on the loopback address, where every user of the machine and every page in every browser can reach it.
//! A browser names the site that it asks for (`Host`) and the one that asks (`Origin`, `Sec-Fetch-Site`); the kernel
//! knows the user of a connection.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::http::Request;

/// No list of the kernel's sockets is read further, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// Why a request is refused, whoever sends it.
pub(super) fn refusal(request: &Request) -> Option<&'static str> {
    if request.header("host").is_some_and(|host| !is_loopback(host)) {
        return Some("the registry answers to 127.0.0.1, localhost and [::1] alone");
    }
    let site = request.header("sec-fetch-site");
    if request.header("origin").is_some() || site.is_some_and(|site| !matches!(site, "none" | "same-origin"))
    {
        return Some("the registry does not answer pages of a browser");
    }
    None
}

/// `Host` without its port is this machine's own name.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "127.0.0.1" || name == "[::1]" || name.eq_ignore_ascii_case("localhost")
}

/// Whether the request changes something.
pub(super) fn writes(request: &Request) -> bool {
    !matches!(request.method.as_str(), "GET" | "HEAD")
}

/// Whether the other end of a connection of this machine belongs to our user or to root.
pub(super) fn is_own(client: SocketAddr, server: SocketAddr) -> bool {
    match user_of(client, server) {
        Ok(Some(user)) => user == 0 || user == rustix::process::geteuid().as_raw(),
        // a socket that the kernel does not list here is not of this network
        Ok(None) | Err(_) => false,
    }
}

/// The user of the socket `local`, which is connected to `remote`.
fn user_of(local: SocketAddr, remote: SocketAddr) -> io::Result<Option<u32>> {
    // a client may use an IPv6 socket for an IPv4 address
    for (list, is_v6) in [("/proc/self/net/tcp", false), ("/proc/self/net/tcp6", true)] {
        let file = match File::open(list) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let wanted = (spelled(local, is_v6), spelled(remote, is_v6));
        for line in BufReader::new(file.take(MAX_LIST)).lines() {
            if let Some(user) = user_in(&line?, &wanted.0, &wanted.1) {
                return Ok(Some(user));
            }
        }
    }
    Ok(None)
}

/// The user of a line of `/proc/net/tcp` (proc_pid_net(5)): slot, local address, remote address, state, queues, timer,
/// retransmissions, user.
fn user_in(line: &str, local: &str, remote: &str) -> Option<u32> {
    let mut words = line.split_ascii_whitespace();
    if words.nth(1)? != local || words.next()? != remote {
        return None;
    }
    words.nth(4)?.parse().ok()
}

/// An address as the kernel prints it: words of four bytes in the machine's order, and the port.
fn spelled(address: SocketAddr, is_v6: bool) -> String {
    let words = |bytes: &[u8]| -> String {
        let numbers =
            bytes.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
        numbers.fold(String::new(), |text, number| text + &format!("{number:08X}"))
    };
    let v6 = |address: Ipv6Addr| words(&address.octets());
    let v4 = |address: Ipv4Addr| words(&address.octets());
    let text = match (address.ip(), is_v6) {
        (IpAddr::V4(address), false) => v4(address),
        (IpAddr::V4(address), true) => v6(address.to_ipv6_mapped()),
        (IpAddr::V6(address), _) => v6(address),
    };
    format!("{text}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn request(headers: &str) -> Request {
        let text = format!("POST /v2/ HTTP/1.1\r\n{headers}\r\n");
        Request::read(&mut text.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn registry_for_every_site() {
        for own in ["127.0.0.1", "127.0.0.1:5000", "localhost:5000", "LocalHost", "[::1]:5000", "[::1]"] {
            assert_eq!(refusal(&request(&format!("Host: {own}\r\n"))), None, "{own}");
        }
        for other in
            ["rebind.evil.example:22056", "evil", "127.0.0.1.evil.example", "10.0.0.1", "localhost.evil", ""]
        {
            assert!(refusal(&request(&format!("Host: {other}\r\n"))).is_some(), "{other}");
        }
        for page in [
            "Origin: http://evil.example",
            "Origin: null",
            "Sec-Fetch-Site: cross-site",
            "sec-fetch-site: same-site",
        ] {
            assert!(refusal(&request(&format!("Host: localhost\r\n{page}\r\n"))).is_some(), "{page}");
        }
        assert_eq!(refusal(&request("Host: localhost\r\nSec-Fetch-Site: none\r\n")), None);
    }

    #[test]
    fn the_kernel_knows_the_user_of_a_connection() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = listener.local_addr().unwrap();
        let client = TcpStream::connect(server).unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        assert_eq!(client.local_addr().unwrap(), from);
        assert_eq!(user_of(from, server).unwrap(), Some(rustix::process::geteuid().as_raw()));
        assert!(is_own(from, server));
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        assert!(!is_own(nobody, server));
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line = "   1: 0100007F:9C40 0100007F:1388 01 00000000:00000000 00:00000000 00000000  1000        0 1 1 0";
        assert_eq!(user_in(line, "0100007F:9C40", "0100007F:1388"), Some(1000));
        assert_eq!(user_in(line, "0100007F:9C41", "0100007F:1388"), None);
        assert_eq!(user_in("sl local_address", "a", "b"), None);
        if cfg!(target_endian = "little") {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 5000));
            assert_eq!(spelled(address, false), "0100007F:1388");
            assert_eq!(spelled(address, true), "0000000000000000FFFF00000100007F:1388");
        }
    }
}
