//! TLS as the arguments want it, made when it is first needed and again when a file of it changed.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::dial::Dial;
use super::{TlsArguments, TlsVersion, builder};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

pub(super) type Https = hyper_util::client::legacy::Client<HttpsConnector<Dial>, Full<Bytes>>;

/// A client that speaks TLS, once it is needed.
pub(super) struct Tls {
    arguments: TlsArguments,
    http2: bool,
    dial: Dial,
    made: Option<Made>,
}

struct Made {
    client: Https,
    files: Stamps,
    looked: Instant,
}

/// When each file changed last; `None` for one that is not there.
type Stamps = [Option<SystemTime>; 3];

/// Why TLS cannot be spoken as configured.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("reading {path}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// What should be PEM is not, or holds nothing of use.
    #[error("{0} holds no PEM of the kind that is needed there")]
    Pem(String),
    /// A certificate does not go with its key, or is of no use.
    #[error("using {what}")]
    Unusable {
        /// What was tried.
        what: &'static str,
        /// What the library says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is nothing to check servers against.
    #[error("this system has no root certificates: install ca-certificates, or name some with ca_file in tls_config")]
    NoRoots,
}

impl Tls {
    pub(super) fn new(arguments: TlsArguments, http2: bool, dial: Dial) -> Self {
        Self { arguments, http2, dial, made: None }
    }

    /// The client. Files that changed are read again; while that fails the client made of the old ones stays.
    pub(super) fn client(&mut self) -> Result<Https, TlsError> {
        let Some(made) = &mut self.made else {
            let files = stamps(&self.arguments);
            let client = make(&self.arguments, self.http2, &self.dial)?;
            self.made = Some(Made { client: client.clone(), files, looked: Instant::now() });
            return Ok(client);
        };
        if made.looked.elapsed() >= LOOK {
            made.looked = Instant::now();
            let files = stamps(&self.arguments);
            if files != made.files {
                match make(&self.arguments, self.http2, &self.dial) {
                    Ok(client) => (made.client, made.files) = (client, files),
                    Err(error) => {
                        tracing::warn!(
                            error = super::chain(&error),
                            "files of tls_config changed and cannot be used; the old ones stay"
                        )
                    }
                }
            }
        }
        Ok(made.client.clone())
    }
}

fn stamps(arguments: &TlsArguments) -> Stamps {
    [&arguments.ca_file, &arguments.cert_file, &arguments.key_file].map(|path| {
        let path = Path::new(path);
        if path.as_os_str().is_empty() { None } else { path.metadata().and_then(|meta| meta.modified()).ok() }
    })
}

fn make(arguments: &TlsArguments, http2: bool, dial: &Dial) -> Result<Https, TlsError> {
    let config = config(arguments)?;
    let builder_of = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config).https_or_http();
    let builder_of = if arguments.server_name.is_empty() {
        builder_of
    } else {
        let unusable = |source| TlsError::Unusable { what: "server_name", source: Box::new(source) };
        let name = ServerName::try_from(arguments.server_name.clone()).map_err(unusable)?;
        builder_of.with_server_name_resolver(FixedServerNameResolver::new(name))
    };
    let connector = if http2 {
        builder_of.enable_all_versions().wrap_connector(dial.clone())
    } else {
        builder_of.enable_http1().wrap_connector(dial.clone())
    };
    Ok(builder().build(connector))
}

fn config(arguments: &TlsArguments) -> Result<ClientConfig, TlsError> {
    let unusable = |what| move |source: rustls::Error| TlsError::Unusable { what, source: Box::new(source) };
    let versions: &[&rustls::SupportedProtocolVersion] = match arguments.min_version {
        TlsVersion::Tls13 => &[&rustls::version::TLS13],
        _ => rustls::ALL_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(unusable("min_version"))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(arguments)?);
    let Some(cert) = text_or_file(arguments.cert_pem.as_bytes(), "cert_pem", &arguments.cert_file)? else {
        return Ok(builder.with_no_client_auth());
    };
    let Some(key) = text_or_file(arguments.key_pem.reveal(), "key_pem", &arguments.key_file)? else {
        return Ok(builder.with_no_client_auth());
    };
    let certificates = certificates(&cert)?;
    let key = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|_| TlsError::Pem(key.name))?;
    builder.with_client_auth_cert(certificates, key).map_err(unusable("the client's certificate and key"))
}

/// Who decides whether a server is the one.
fn verifier(arguments: &TlsArguments) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    if arguments.insecure_skip_verify {
        return Ok(Arc::new(Anyone(provider())));
    }
    let Some(ca) = text_or_file(arguments.ca_pem.as_bytes(), "ca_pem", &arguments.ca_file)? else {
        return system_verifier().map(|verifier| verifier as Arc<dyn ServerCertVerifier>);
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&ca)? {
        roots
            .add(certificate)
            .map_err(|source| TlsError::Unusable { what: "a CA certificate", source: Box::new(source) })?;
    }
    webpki(roots).map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
}

/// The system's roots take time to read and memory to keep, so all clients share them.
fn system_verifier() -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    static SHARED: OnceLock<Arc<WebPkiServerVerifier>> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(Arc::clone(shared));
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let verifier = webpki(roots)?;
    Ok(Arc::clone(SHARED.get_or_init(|| verifier)))
}

fn webpki(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|source| TlsError::Unusable { what: "CA certificates", source: Box::new(source) })
}

fn provider() -> Arc<CryptoProvider> {
    static SHARED: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(ring::default_provider())))
}

/// PEM and where it is from, for messages.
struct Pem {
    name: String,
    bytes: Vec<u8>,
}

fn text_or_file(text: &[u8], name: &str, file: &str) -> Result<Option<Pem>, TlsError> {
    if !text.is_empty() {
        return Ok(Some(Pem { name: name.to_owned(), bytes: text.to_vec() }));
    }
    if file.is_empty() {
        return Ok(None);
    }
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(Pem { name: file.to_owned(), bytes })),
        Err(source) => Err(TlsError::File { path: file.to_owned(), source }),
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(|| TlsError::Pem(pem.name.clone()))
}

/// `insecure_skip_verify`: any certificate will do, but the server must have its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
