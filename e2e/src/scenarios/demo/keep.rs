//! An Envoy to try things on.

use anyhow::Result;
use serde_json::json;

use super::Style;
use crate::harness::envoy::Envoy;
use crate::harness::envoy::config::{Listener, Proxy};
use crate::harness::envoy::parts::{cluster, direct, route, vhost};
use crate::harness::peers::Server;
use crate::harness::tools;

/// Leaves an Envoy running until Ctrl-C.
pub fn keep(style: Style) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let backend = Server::Nginx("listen 127.0.0.1:{port}; location / { return 200 \"it works\\n\"; }")
        .start(folder.path(), folder.path())?;
    let nobody = Server::Nobody.start(folder.path(), folder.path())?;
    let routes = json!([vhost(
        "demo",
        &["demo.example"],
        vec![
            route("/refused", "nobody"),
            route("/nowhere", "missing"),
            direct("/direct", 200, "ok\n"),
            route("/works", "backend"),
        ]
    )]);
    let proxy = Proxy::new(
        [Listener::http("http", routes)],
        [cluster("backend", "backend"), cluster("nobody", "nobody")],
    );
    let bootstrap = proxy.bootstrap(&tools::module()?.display().to_string()).to_string();
    let bootstrap = bootstrap
        .replace("{server:backend}", &backend.port.to_string())
        .replace("{server:nobody}", &nobody.port.to_string());
    let envoy = Envoy::start(&serde_json::from_str(&bootstrap)?)?;
    let port = envoy.port("http")?;
    println!("{}", style.bold("Envoy keeps running. Try it:"));
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/works     # fine");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/refused   # nobody listens");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/nowhere   # no such cluster");
    println!("  curl -i -H 'Host: demo.example' http://127.0.0.1:{port}/          # no route");
    println!("  curl -i http://127.0.0.1:{port}/                                  # unknown host");
    println!("  curl -k https://127.0.0.1:{port}/                                 # TLS to an HTTP port");
    println!("  curl -0 -i -H 'Host: demo.example' http://127.0.0.1:{port}/works  # HTTP/1.0");
    println!("Access log:  tail -f {}", envoy.path("http.log").display());
    println!("Metrics:     curl -s http://{}/stats/prometheus | grep ^meshwhy_", envoy.admin_address());
    println!("Ctrl-C ends it; nothing stays behind.");
    let (ended, end) = std::sync::mpsc::channel();
    // The receiver lives until the first signal; a second one changes nothing.
    ctrlc::set_handler(move || ended.send(()).unwrap_or_default())?;
    end.recv()?;
    Ok(())
}
