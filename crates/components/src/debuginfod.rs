//! A client of debuginfod: `GET URL/buildid/ID/debuginfo`. The engine says when to ask, and keeps and checks what comes.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use engine::debug_server::{DebugServer, DebugServers, Reply};
use http::{HeaderMap, Method, StatusCode};
use tokio::runtime::Runtime;

use crate::http_client::{BuildError, Call, Client, HttpClientArguments, Patience, SendError, ServerUrl, chain};

/// What all files may take on disk.
const BYTES: u64 = 1 << 30;
/// What one may have.
const FILE_BYTES: usize = 512 << 20;
/// A server may have to unpack a package first.
const PATIENCE: Patience = Patience { silence: Duration::from_secs(60), whole: Duration::from_secs(600) };

/// Servers to be asked for debug information, and where it is kept.
#[derive(Clone, Debug)]
pub struct Debuginfod {
    /// In the order in which they are asked.
    pub urls: Vec<ServerUrl>,
    /// The folder. It is made if it is not there.
    pub folder: PathBuf,
}

impl Debuginfod {
    /// What asks the servers; nothing without one. None is connected to yet.
    ///
    /// # Errors
    /// Why one cannot be asked.
    pub(crate) fn servers(&self) -> Result<Option<DebugServers>, BuildError> {
        let server = |url: &ServerUrl| Ok(Box::new(Server::new(url, FILE_BYTES, PATIENCE)?) as Box<dyn DebugServer>);
        let servers: Vec<_> = self.urls.iter().map(server).collect::<Result<_, BuildError>>()?;
        Ok((!servers.is_empty()).then(|| DebugServers { servers, folder: self.folder.clone(), bytes: BYTES }))
    }
}

/// One server.
struct Server {
    url: ServerUrl,
    client: Client,
    most: usize,
    patience: Patience,
    /// Made on the thread that asks.
    runtime: Option<Runtime>,
}

impl Server {
    fn new(url: &ServerUrl, most: usize, patience: Patience) -> Result<Self, BuildError> {
        let client = Client::new(&HttpClientArguments::bare(), !url.is_plain())?;
        Ok(Self { url: url.clone(), client, most, patience, runtime: None })
    }
}

impl DebugServer for Server {
    fn get(&mut self, build_id: &str, into: &mut (dyn Write + Send)) -> Reply {
        let url = match self.url.below(&format!("/buildid/{build_id}/debuginfo")) {
            Ok(url) => url,
            Err(error) => return Reply::Failed(error.to_string()),
        };
        let runtime = match &mut self.runtime {
            Some(runtime) => runtime,
            none => match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => none.insert(runtime),
                Err(error) => return Reply::Failed(error.to_string()),
            },
        };
        let call =
            Call { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new(), max_answer: self.most };
        match runtime.block_on(self.client.download(call, self.patience, into)) {
            Ok(answer) => match answer.status {
                StatusCode::OK => Reply::Sent,
                StatusCode::NOT_FOUND | StatusCode::GONE => Reply::Absent,
                status => Reply::Failed(format!("status {status}")),
            },
            Err(SendError::TooLarge(_)) => Reply::TooLarge,
            Err(error) => Reply::Failed(chain(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::http_client::tests::server::{Server as Listener, answer, redirect};

    #[test]
    fn what_a_server_says_is_told_apart() {
        let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = outside.block_on(Listener::start(|seen| match seen.path() {
            "/base/buildid/aa/debuginfo" => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n\x7fELF\xff".to_vec(),
            "/base/buildid/bb/debuginfo" => redirect("302 Found", "/base/buildid/aa/debuginfo").into_bytes(),
            "/base/buildid/cc/debuginfo" => answer("200 OK", "nine bytes").into_bytes(),
            "/base/buildid/dd/debuginfo" => answer("500 Internal Server Error", "").into_bytes(),
            "/base/buildid/ee/debuginfo" => Vec::new(),
            _ => answer("404 Not Found", "").into_bytes(),
        }));
        let patience = Patience { silence: Duration::from_millis(200), whole: Duration::from_secs(5) };
        for base in ["/base", "/base/"] {
            let url = ServerUrl::parse(&listener.url(base)).unwrap();
            let mut server = Server::new(&url, 8, patience).unwrap();
            let mut check = |id: &str, expect: Reply, expect_body: &[u8]| {
                let mut body = Vec::new();
                assert_eq!((server.get(id, &mut body), &*body), (expect, expect_body), "{id}");
            };
            check("aa", Reply::Sent, b"\x7fELF\xff");
            check("bb", Reply::Sent, b"\x7fELF\xff");
            check("cc", Reply::TooLarge, b"");
            check("dd", Reply::Failed("status 500 Internal Server Error".to_owned()), b"");
            check("ee", Reply::Failed("no answer within 200ms".to_owned()), b"");
            check("ff", Reply::Absent, b"");
            check("aa", Reply::Sent, b"\x7fELF\xff");
        }
        assert!(listener.all().iter().all(|seen| seen.line.starts_with("GET /base/buildid/")));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_a_failure() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = outside.block_on(Listener::start(|_| answer("200 OK", "five!")));
        let mut server = Server::new(&ServerUrl::parse(&listener.url("")).unwrap(), 8, PATIENCE).unwrap();
        assert_eq!(server.get("aa", &mut Full), Reply::Failed("writing the answer: no storage space".to_owned()));
    }
}
