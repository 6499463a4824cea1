//! As much of HTTP/1.1 as clients of registries use (RFC 9112): heads, bodies with a length or in chunks.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, Read, Seek as _, SeekFrom, Write},
};

/// No head is larger.
const MAX_HEAD: u64 = 32 << 10;
/// What is read of a body that nobody wants, so that the connection can be used again.
const MAX_DRAINED: u64 = 1 << 20;

/// A request without its body.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Decoded, without the query.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    pub(super) keep_alive: bool,
}

impl Request {
    /// `None` when the client has no further request.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = reader.take(MAX_HEAD);
        let mut line = String::new();
        // RFC 9112, 2.2: empty lines before a request are passed over
        while line.trim_end().is_empty() {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Ok(None);
            }
        }
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "no HTTP request");
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
            return Err(wrong());
        };
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            if head.read_line(&mut line)? == 0 {
                return Err(wrong());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(wrong)?;
            let name = name.to_ascii_lowercase();
            // RFC 9112, 3.2: two of them are an attack
            if headers.insert(name.clone(), value.trim().to_owned()).is_some() && name == "host" {
                return Err(wrong());
            }
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let closes = headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let keep_alive = version == "HTTP/1.1" && !closes;
        Ok(Some(Self { method: method.to_owned(), path: decoded(path), query, headers, keep_alive }))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// `%2F` -> `/`
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The body of a request; the client is told to go on when it is read first.
pub(super) struct Body<'a> {
    reader: &'a mut dyn BufRead,
    writer: &'a mut dyn Write,
    /// Bytes that are left; in chunks, of this chunk.
    left: u64,
    chunked: bool,
    ended: bool,
    waits: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &Request, reader: &'a mut dyn BufRead, writer: &'a mut dyn Write) -> Self {
        let chunked =
            request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let left = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let left = if chunked { 0 } else { left };
        let waits = request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        Self { reader, writer, left, chunked, ended: !chunked && left == 0, waits }
    }

    /// Reads what nobody read; `false` when that would be too much.
    pub(super) fn drain(&mut self) -> bool {
        // a client that waits for permission sends no body any more
        if self.waits && !self.ended {
            return false;
        }
        let drained = io::copy(&mut self.take(MAX_DRAINED), &mut io::sink());
        drained.is_ok() && self.ended
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let mut line = String::new();
        self.reader.take(1024).read_line(&mut line)?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = size.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(size, 16));
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a chunk without size");
        self.left = size.and_then(Result::ok).ok_or_else(wrong)?;
        if self.left == 0 {
            self.ended = true;
            // trailers end with an empty line
            loop {
                let mut line = String::new();
                if self.reader.take(1024).read_line(&mut line)? == 0 || line.trim_end().is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        if std::mem::take(&mut self.waits) {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if self.chunked && self.left == 0 {
            self.next_chunk()?;
            if self.ended {
                return Ok(0);
            }
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if self.left == 0 {
            if self.chunked {
                let mut end = [0; 2];
                self.reader.read_exact(&mut end)?;
            } else {
                self.ended = true;
            }
        }
        Ok(read)
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// A part of a file: from which byte, how many.
    File(File, u64, u64),
}

impl Answer {
    pub(super) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), content: Content::Bytes(Vec::new()) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(super) fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// Writes the answer; the answer to HEAD has the length and not the bytes.
    pub(super) fn write(self, request: &Request, keep: bool, writer: &mut impl Write) -> io::Result<()> {
        let length = match &self.content {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::File(_, _, length) => *length,
        };
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Docker-Distribution-Api-Version: registry/2.0\r\n");
        head.push_str(if keep { "" } else { "Connection: close\r\n" });
        head.push_str(&format!("Content-Length: {length}\r\n\r\n"));
        writer.write_all(head.as_bytes())?;
        if request.method != "HEAD" {
            match self.content {
                Content::Bytes(bytes) => writer.write_all(&bytes)?,
                Content::File(mut file, start, length) => {
                    file.seek(SeekFrom::Start(start))?;
                    io::copy(&mut file.take(length), writer)?;
                }
            }
        }
        writer.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        416 => "Range Not Satisfiable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Request, Vec<u8>, Vec<u8>) {
        let mut reader = io::BufReader::new(text.as_bytes());
        let request = Request::read(&mut reader).unwrap().unwrap();
        let mut told = Vec::new();
        let mut bytes = Vec::new();
        Body::new(&request, &mut reader, &mut told).read_to_end(&mut bytes).unwrap();
        (request, bytes, told)
    }

    #[test]
    fn requests_and_bodies_are_read() {
        let (request, body, told) = read(
            "PUT /v2/a%2Fb/x?digest=sha256%3Aab&mount=c HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 3\r\nExpect: 100-continue\r\n\r\nabcrest",
        );
        assert_eq!((request.method.as_str(), request.path.as_str()), ("PUT", "/v2/a/b/x"));
        assert_eq!((request.query["digest"].as_str(), request.query["mount"].as_str()), ("sha256:ab", "c"));
        assert_eq!((body.as_slice(), told.as_slice()), (&b"abc"[..], &b"HTTP/1.1 100 Continue\r\n\r\n"[..]));
        let chunks = "PATCH /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: x\r\n\r\nGET";
        assert_eq!(read(chunks).1, b"abc0123456789");
    }

    #[test]
    fn damaged_requests_are_errors() {
        for text in ["GET\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            assert!(Request::read(&mut text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Request::read(&mut &b""[..]).unwrap().is_none());
        let signed = "PUT /%+1%-1%2F HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n";
        let mut reader = signed.as_bytes();
        let request = Request::read(&mut reader).unwrap().unwrap();
        assert_eq!(request.path, "/%+1%-1/");
        assert!(Body::new(&request, &mut reader, &mut Vec::new()).read_to_end(&mut Vec::new()).is_err());
        let long = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000));
        assert!(Request::read(&mut long.as_bytes()).is_err());
        let mut reader = io::BufReader::new("PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc".as_bytes());
        let request = Request::read(&mut reader).unwrap().unwrap();
        let cut = Body::new(&request, &mut reader, &mut Vec::new()).read_to_end(&mut Vec::new());
        assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
