//! Who may ask for what over HTTP, as the configuration says.

use e2e::Agent;
use e2e::http::{self, Answer};
use e2e::wait::until;

/// `ada:first` and `ada:second` in base64.
const FIRST: &str = "Authorization: Basic YWRhOmZpcnN0";
const SECOND: &str = "Authorization: Basic YWRhOnNlY29uZA==";

fn configuration(auth: &str) -> String {
    format!("http {{\n auth {{\n {auth}\n }}\n}}\nlogging {{\n level = \"debug\"\n}}\n")
}

fn basic(password: &str) -> String {
    format!("basic {{\n username = \"ada\"\n password = \"{password}\"\n }}")
}

fn get(agent: &Agent, path: &str, headers: &[&str]) -> Answer {
    http::request(&agent.address, "GET", path, headers, "").expect("the agent answers")
}

/// An agent on an address that is not loopback, once the rule of its configuration holds.
fn agent(configuration: &str) -> Agent {
    let mut agent = Agent::spawn(Some(configuration), &["--server.http.listen-addr=0.0.0.0:0"], &[]);
    agent.address = agent.address.replace("0.0.0.0", "127.0.0.1");
    until("the configuration is loaded", 20, || agent.log().contains("pyrope is running").then_some(()));
    agent
}

#[test]
fn a_password_opens_every_address_and_a_reload_changes_it() {
    let agent = agent(&configuration(&basic("first")));
    for path in ["/", "/metrics", "/-/ready", "/api/v0/agent/status"] {
        let refused = get(&agent, path, &[]);
        assert_eq!(refused.status, 401, "{path}");
        assert!(refused.head.contains("www-authenticate: basic realm="), "a browser asks its user: {}", refused.head);
        assert_eq!(get(&agent, path, &[SECOND]).status, 401, "{path}");
        assert_eq!(get(&agent, path, &[FIRST]).status, 200, "{path}");
    }

    agent.write_configuration(&configuration(&basic("second")));
    assert_eq!(http::request(&agent.address, "POST", "/-/reload", &[FIRST], "").unwrap().status, 200);
    assert_eq!((get(&agent, "/", &[FIRST]).status, get(&agent, "/", &[SECOND]).status), (401, 200));

    // One that cannot be is refused, and the old one holds.
    agent.write_configuration(&configuration(&basic("")));
    let answer = http::request(&agent.address, "POST", "/-/reload", &[SECOND], "").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("password must not be empty"), "{answer:?}");
    assert_eq!((get(&agent, "/", &[]).status, get(&agent, "/", &[SECOND]).status), (401, 200));

    // Without the block nothing guards the address.
    agent.write_configuration("");
    assert_eq!(http::request(&agent.address, "POST", "/-/reload", &[SECOND], "").unwrap().status, 200);
    let refused = get(&agent, "/", &[SECOND]);
    assert_eq!((refused.status, get(&agent, "/metrics", &[]).status), (403, 200));
    assert!(refused.body.contains("an http block with auth"), "{}", refused.body);
    let log = agent.log();
    assert_eq!(log.matches("nothing guards it").count(), 1, "{log}");
    assert!(!log.contains("first") && !log.contains("second"), "a password is in the log: {log}");
    drop(agent);
}

#[test]
fn the_filter_says_which_paths_are_asked() {
    let filter = "filter {\n paths = [\"/-/\", \"/metrics\"]\n authenticate_matching_paths = false\n }";
    let agent = agent(&configuration(&format!("{}\n{filter}", basic("first"))));
    for (path, without, with) in [("/metrics", 200, 200), ("/-/ready", 200, 200), ("/", 401, 200)] {
        assert_eq!((get(&agent, path, &[]).status, get(&agent, path, &[FIRST]).status), (without, with), "{path}");
    }
    assert_eq!(agent.log().matches("nothing guards it").count(), 0, "{}", agent.log());
    drop(agent);
}
