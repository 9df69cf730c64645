//! Which proxy a request goes through.

use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use http::header::{HeaderMap, HeaderValue};
use http::uri::Scheme;

use super::url::{ServerUrl, redacted};
use super::{BuildError, ProxyArguments};

/// The proxies of a client. A clone shares them.
#[derive(Clone)]
pub(super) struct Proxies(Arc<Rules>);

struct Rules {
    http: Option<Proxy>,
    https: Option<Proxy>,
    exempt: Vec<Exempt>,
    /// Whether this host's own addresses are reached directly.
    local: bool,
    connect_headers: HeaderMap,
}

/// One proxy.
pub(super) struct Proxy {
    pub(super) uri: Uri,
    /// What it wants to know of whom it serves.
    pub(super) authorization: Option<HeaderValue>,
}

/// Why a proxy cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// Its address is not one of a proxy that is spoken to without TLS.
    #[error("proxy {0:?} is not of the form http://[user:password@]host[:port], the only kind of proxy there is here")]
    Unusable(String),
}

/// An entry of `no_proxy`.
struct Exempt {
    host: Host,
    port: Option<u16>,
}

enum Host {
    All,
    Net(IpAddr, u8),
    /// `example.com`: it and what is under it.
    Domain(String),
    /// `.example.com`: only what is under it; kept with the dot.
    Under(String),
}

impl Proxies {
    pub(super) fn new(arguments: &ProxyArguments) -> Result<Self, BuildError> {
        Self::with_environment(arguments, |name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn with_environment(
        arguments: &ProxyArguments,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, BuildError> {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_lowercase()));
        let (http, https, exempt, local) = if arguments.proxy_from_environment {
            (either("HTTP_PROXY"), either("HTTPS_PROXY"), either("NO_PROXY").unwrap_or_default(), true)
        } else {
            let url = Some(arguments.proxy_url.clone()).filter(|url| !url.is_empty());
            (url.clone(), url, arguments.no_proxy.clone(), !arguments.no_proxy.is_empty())
        };
        Ok(Self(Arc::new(Rules {
            http: http.map(|url| Proxy::parse(&url)).transpose()?,
            https: https.map(|url| Proxy::parse(&url)).transpose()?,
            exempt: exempt.split(',').filter_map(Exempt::parse).collect(),
            local,
            connect_headers: arguments.connect_headers()?,
        })))
    }

    /// The proxy for a request to `uri`.
    pub(super) fn of(&self, uri: &Uri) -> Option<&Proxy> {
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let proxy = if https { self.0.https.as_ref() } else { self.0.http.as_ref() }?;
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let ip: Option<IpAddr> = host.parse().ok();
        if self.0.local && (host == "localhost" || ip.is_some_and(|ip| ip.is_loopback())) {
            return None;
        }
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        (!self.0.exempt.iter().any(|exempt| exempt.matches(&host, ip, port))).then_some(proxy)
    }

    /// The headers of `CONNECT`.
    pub(super) fn connect_headers(&self, proxy: &Proxy) -> HeaderMap {
        let mut headers = self.0.connect_headers.clone();
        if let Some(value) = &proxy.authorization {
            headers.insert(http::header::PROXY_AUTHORIZATION, value.clone());
        }
        headers
    }
}

impl Proxy {
    fn parse(url: &str) -> Result<Self, ProxyError> {
        let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        match ServerUrl::parse(&whole) {
            Ok(endpoint) if endpoint.is_plain() => {
                Ok(Self { uri: endpoint.uri().clone(), authorization: endpoint.authorization().cloned() })
            }
            _ => Err(ProxyError::Unusable(redacted(&whole))),
        }
    }
}

impl Exempt {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.trim().to_ascii_lowercase();
        if entry.is_empty() {
            return None;
        }
        if entry == "*" {
            return Some(Self { host: Host::All, port: None });
        }
        if let Some((address, bits)) = entry.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse(), bits.parse())
        {
            return Some(Self { host: Host::Net(address, bits), port: None });
        }
        if let Ok(address) = entry.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Some(Self { host: Host::Net(address, if address.is_ipv4() { 32 } else { 128 }), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port.parse().ok()),
            _ => (entry.as_str(), None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = match (host.parse::<IpAddr>(), host.strip_prefix('*').unwrap_or(host)) {
            (Ok(address), _) => Host::Net(address, if address.is_ipv4() { 32 } else { 128 }),
            (Err(_), under) if under.starts_with('.') => Host::Under(under.to_owned()),
            (Err(_), name) => Host::Domain(name.to_owned()),
        };
        Some(Self { host, port })
    }

    fn matches(&self, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match &self.host {
            Host::All => true,
            Host::Net(net, bits) => ip.is_some_and(|ip| contains(*net, *bits, ip)),
            Host::Under(domain) => host.ends_with(domain.as_str()),
            Host::Domain(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }
}

fn contains(net: IpAddr, bits: u8, ip: IpAddr) -> bool {
    let (net, ip, width): (u128, u128, u32) = match (net, ip) {
        (IpAddr::V4(net), IpAddr::V4(ip)) => (net.to_bits().into(), ip.to_bits().into(), 32),
        (IpAddr::V6(net), IpAddr::V6(ip)) => (net.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    let host_bits = width.saturating_sub(bits.into());
    net.checked_shr(host_bits).unwrap_or(0) == ip.checked_shr(host_bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(no_proxy: &str, url: &str, proxied: bool) {
        let arguments = ProxyArguments {
            proxy_url: "http://proxy:3128".to_owned(),
            no_proxy: no_proxy.to_owned(),
            ..ProxyArguments::default()
        };
        let proxies = Proxies::new(&arguments).expect("the proxy is one");
        assert_eq!(proxies.of(&url.parse().unwrap()).is_some(), proxied, "{no_proxy:?} {url}");
    }

    #[test]
    fn no_proxy_knows_hosts_domains_addresses_ranges_and_ports() {
        check("", "http://example.com", true);
        check("example.com", "http://example.com", false);
        check("example.com", "http://a.example.com", false);
        check("example.com", "http://notexample.com", true);
        check(".example.com", "http://a.example.com", false);
        check(".example.com", "http://example.com", true);
        check("*.example.com", "http://a.example.com", false);
        check("example.com:8080", "http://example.com:8080", false);
        check("example.com:8080", "http://example.com", true);
        check("example.com:443", "https://example.com", false);
        check("10.0.0.0/8", "http://10.1.2.3", false);
        check("10.0.0.0/8", "http://11.1.2.3", true);
        check("10.1.2.3:80", "http://10.1.2.3", false);
        check("fd00::/8", "http://[fd12::1]:4040", false);
        check("0.0.0.0/0", "http://9.9.9.9", false);
        check(" a , b ", "http://B", false);
        check("*", "http://anything", false);
    }

    #[test]
    fn this_host_is_reached_directly_once_there_are_exceptions() {
        check("", "http://localhost:4040", true);
        check("other", "http://localhost:4040", false);
        check("other", "http://127.0.0.2", false);
    }

    #[test]
    fn the_environment_names_a_proxy_per_scheme() {
        let arguments = ProxyArguments { proxy_from_environment: true, ..ProxyArguments::default() };
        let variable = |name: &str| match name {
            "HTTPS_PROXY" => Some("me:pw@secure:1".to_owned()),
            "no_proxy" => Some("inside".to_owned()),
            _ => None,
        };
        let proxies = Proxies::with_environment(&arguments, variable).expect("the proxy is one");
        let of = |url: &str| proxies.of(&url.parse().unwrap()).map(|proxy| proxy.uri.to_string());
        assert_eq!(of("https://out").as_deref(), Some("http://secure:1/"));
        assert_eq!(of("http://out"), None);
        assert_eq!(of("https://inside"), None);
        let proxy = proxies.of(&"https://out".parse().unwrap()).expect("it is for TLS");
        assert_eq!(proxy.authorization.as_ref().map(|value| value.to_str().unwrap()), Some("Basic bWU6cHc="));
    }

    #[test]
    fn other_kinds_of_proxies_are_refused_without_their_password() {
        let arguments = ProxyArguments { proxy_url: "socks5://me:pw@host".to_owned(), ..ProxyArguments::default() };
        let Err(error) = Proxies::new(&arguments) else { panic!("it is refused") };
        assert!(error.to_string().starts_with("proxy \"socks5://me:xxxxx@host\" is not of the form"), "{error}");
    }
}
