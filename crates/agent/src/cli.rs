//! The command line: Alloy's, and what is ours alone.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use components::http_client::ServerUrl;
use components::store::Bytes;
use engine::budget::Budget;

/// Profiles every process of a Linux host through eBPF.
#[derive(Parser)]
#[command(name = "pyrope", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a configuration; without one, profile the whole host and show it on a page.
    Run(Box<Run>),
    /// Format a configuration.
    #[command(alias = "format")]
    Fmt(Fmt),
    /// Check a configuration without running it.
    Validate(Validate),
}

/// As with upstream, of a flag that is given twice the last one counts.
#[derive(Args)]
#[command(args_override_self = true)]
pub(crate) struct Run {
    /// A configuration file, or a folder whose *.alloy files are one configuration.
    pub(crate) path: Option<PathBuf>,
    /// Where to serve the page, the API and the metrics.
    #[arg(long = "server.http.listen-addr", default_value = "127.0.0.1:12345", value_name = "ADDRESS")]
    pub(crate) listen: String,
    /// A file whose first line is the token that requests from elsewhere must carry.
    #[arg(long = "server.http.token-file", value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Serve everything to everybody, on an address that is not loopback too.
    #[arg(long = "server.http.insecure", num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", hide_default_value = true, value_parser = go_bool, action = ArgAction::Set, value_name = "BOOL")]
    pub(crate) insecure: bool,
    /// Where components keep their files; /var/lib/pyrope for root, else $XDG_STATE_HOME/pyrope.
    #[arg(long = "storage.path", value_name = "FOLDER")]
    pub(crate) storage: Option<PathBuf>,
    /// How much memory the process may have: bytes, or with KiB, MiB or GiB. The unwind rows in the kernel, apart from it, are
    /// in proportion.
    #[arg(long = "memory.budget", default_value = "60MB", value_name = "BYTES", value_parser = budget)]
    pub(crate) budget: Budget,
    /// A debuginfod server to ask for the debug information that is not on this host. May be repeated; without it nothing is
    /// asked.
    #[arg(long = "debuginfod.url", value_name = "URL", value_parser = server_url)]
    pub(crate) debuginfod: Vec<ServerUrl>,
    /// The least settled components to allow: experimental, public-preview or generally-available.
    #[arg(long = "stability.level", default_value = "generally-available", value_name = "LEVEL")]
    pub(crate) stability: graph::Stability,
    #[command(flatten)]
    pub(crate) upstream: Upstream,
}

#[derive(Args)]
pub(crate) struct Fmt {
    /// The file; standard input without one, or with `-`.
    pub(crate) file: Option<PathBuf>,
    /// Write the result to the file instead of standard output.
    #[arg(short, long)]
    pub(crate) write: bool,
    /// Only say whether the file is formatted.
    #[arg(short, long)]
    pub(crate) test: bool,
}

#[derive(Args)]
pub(crate) struct Validate {
    /// A configuration file, or a folder whose *.alloy files are one configuration.
    pub(crate) path: PathBuf,
    /// The least settled components to allow: experimental, public-preview or generally-available.
    #[arg(long = "stability.level", default_value = "generally-available", value_name = "LEVEL")]
    pub(crate) stability: graph::Stability,
    #[command(flatten)]
    pub(crate) format: Format,
    /// Allow community components; there are none.
    #[arg(long = "feature.community-components.enabled", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) community: Option<bool>,
}

/// Flags about configuration formats, of which there is one.
#[derive(Args)]
pub(crate) struct Format {
    #[arg(long = "config.format", default_value = "alloy", hide = true)]
    pub(crate) format: String,
    #[arg(long = "config.bypass-conversion-errors", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) bypass: Option<bool>,
    #[arg(long = "config.extra-args", hide = true)]
    pub(crate) extra: Option<String>,
}

/// Flags that Alloy has and that change nothing here; accepted, so that its start scripts work.
#[derive(Args)]
pub(crate) struct Upstream {
    #[command(flatten)]
    pub(crate) format: Format,
    #[arg(long = "server.http.memory-addr", hide = true)]
    pub(crate) memory_addr: Option<String>,
    #[arg(long = "server.http.ui-path-prefix", hide = true)]
    pub(crate) ui_path_prefix: Option<String>,
    #[arg(long = "server.http.enable-pprof", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) enable_pprof: Option<bool>,
    #[arg(long = "server.http.disable-support-bundle", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) disable_support_bundle: Option<bool>,
    #[arg(long = "disable-reporting", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) disable_reporting: Option<bool>,
    #[arg(long = "feature.community-components.enabled", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) community: Option<bool>,
    #[arg(long = "feature.component-shutdown-deadline", default_value = "10m", hide = true)]
    pub(crate) shutdown_deadline: String,
    #[arg(long = "feature.prometheus.direct-fanout.enabled", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) direct_fanout: Option<bool>,
    #[arg(long = "feature.prometheus.metric-validation-scheme", hide = true)]
    pub(crate) metric_validation: Option<String>,
    #[arg(long = "server.http.enable-graphql", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) graphql: Option<bool>,
    #[arg(long = "server.http.enable-graphql-playground", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) graphql_playground: Option<bool>,
    #[arg(long = "cluster.enabled", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, action = ArgAction::Set, hide = true)]
    pub(crate) cluster_enabled: Option<bool>,
    #[arg(long = "cluster.node-name", hide = true)]
    pub(crate) cluster_node_name: Option<String>,
    #[arg(long = "cluster.advertise-address", hide = true)]
    pub(crate) cluster_advertise_address: Option<String>,
    #[arg(long = "cluster.advertise-interfaces", hide = true)]
    pub(crate) cluster_advertise_interfaces: Option<String>,
    #[arg(long = "cluster.join-addresses", hide = true)]
    pub(crate) cluster_join_addresses: Option<String>,
    #[arg(long = "cluster.discover-peers", hide = true)]
    pub(crate) cluster_discover_peers: Option<String>,
    #[arg(long = "cluster.rejoin-interval", hide = true)]
    pub(crate) cluster_rejoin_interval: Option<String>,
    #[arg(long = "cluster.max-join-peers", hide = true)]
    pub(crate) cluster_max_join_peers: Option<String>,
    #[arg(long = "cluster.name", hide = true)]
    pub(crate) cluster_name: Option<String>,
    #[arg(long = "cluster.enable-tls", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub(crate) cluster_enable_tls: Option<bool>,
    #[arg(long = "cluster.tls-ca-path", hide = true)]
    pub(crate) cluster_tls_ca_path: Option<String>,
    #[arg(long = "cluster.tls-cert-path", hide = true)]
    pub(crate) cluster_tls_cert_path: Option<String>,
    #[arg(long = "cluster.tls-key-path", hide = true)]
    pub(crate) cluster_tls_key_path: Option<String>,
    #[arg(long = "cluster.tls-server-name", hide = true)]
    pub(crate) cluster_tls_server_name: Option<String>,
    #[arg(long = "cluster.wait-for-size", hide = true)]
    pub(crate) cluster_wait_for_size: Option<String>,
    #[arg(long = "cluster.wait-timeout", hide = true)]
    pub(crate) cluster_wait_timeout: Option<String>,
    #[arg(long = "cluster.use-discovery-v1", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool, hide = true)]
    pub cluster_use_discovery_v1: Option<bool>,
}

fn budget(text: &str) -> Result<Budget, String> {
    let bytes = Bytes::parse(text).ok_or("expected a number of bytes, such as 60MB or 64MiB")?;
    Budget::new(bytes.0).ok_or_else(|| format!("less than {} MB is not enough", Budget::LEAST / 1_000_000))
}

fn server_url(text: &str) -> Result<ServerUrl, String> {
    ServerUrl::parse(text).map_err(|error| error.to_string())
}

/// What upstream takes as true and false.
fn go_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("expected true or false".to_owned()),
    }
}

impl Upstream {
    /// The flags that were given and ask for something that there is not.
    pub(crate) fn without_effect(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.cluster_enabled == Some(true) {
            names.push("--cluster.enabled");
        }
        if self.graphql == Some(true) {
            names.push("--server.http.enable-graphql");
        }
        if self.ui_path_prefix.as_deref().is_some_and(|prefix| prefix != "/") {
            names.push("--server.http.ui-path-prefix");
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};

    #[test]
    fn upstreams_switches_do_not_take_the_word_behind_them() {
        let command = Cli::command();
        let run = |words: &[&str]| {
            let matches = command.clone().try_get_matches_from(["pyrope", "run"].iter().chain(words))?;
            let run = matches.subcommand_matches("run").expect("it is the command").clone();
            Ok::<_, clap::Error>((
                run.get_one::<std::path::PathBuf>("path").cloned(),
                run.get_one::<bool>("disable_reporting").copied(),
            ))
        };
        let file = Some(std::path::PathBuf::from("f.alloy"));
        for (switch, value) in
            [("--disable-reporting", true), ("--disable-reporting=t", true), ("--disable-reporting=0", false)]
        {
            assert_eq!(run(&[switch, "f.alloy"]).expect("it is right"), (file.clone(), Some(value)), "{switch}");
        }
        assert!(run(&["--disable-reporting=maybe"]).is_err());
    }

    #[test]
    fn our_switch_takes_a_value_too() {
        let insecure = |words: &[&str]| {
            let cli = Cli::try_parse_from(["pyrope", "run"].iter().chain(words)).map_err(|error| error.kind())?;
            let Command::Run(run) = cli.command else { panic!("it is the command") };
            Ok::<_, ErrorKind>((run.insecure, run.path.is_some()))
        };
        assert_eq!(insecure(&[]), Ok((false, false)));
        assert_eq!(insecure(&["--server.http.insecure", "f.alloy"]), Ok((true, true)));
        assert_eq!(insecure(&["--server.http.insecure=true"]), Ok((true, false)));
        assert_eq!(insecure(&["--server.http.insecure=false"]), Ok((false, false)));
        assert_eq!(insecure(&["--server.http.insecure=maybe"]), Err(ErrorKind::ValueValidation));
    }

    #[test]
    fn every_server_of_debug_information_counts() {
        let urls = |words: &[&str]| {
            let cli = Cli::try_parse_from(["pyrope", "run"].iter().chain(words)).map_err(|error| error.kind())?;
            let Command::Run(run) = cli.command else { panic!("it is the command") };
            Ok::<_, ErrorKind>(run.debuginfod.iter().map(|url| url.uri().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(urls(&[]), Ok(vec![]));
        assert_eq!(
            urls(&["--debuginfod.url=http://a/", "--debuginfod.url", "https://b/x", "f.alloy"]),
            Ok(vec!["http://a/".to_owned(), "https://b/x".to_owned()])
        );
        assert_eq!(urls(&["--debuginfod.url=a"]), Err(ErrorKind::ValueValidation));
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
