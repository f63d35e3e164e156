//! VirtualServices whose routes a Gateway's servers never look at.

use std::cell::RefCell;
use std::collections::HashMap;

use meshwhy::causes::Cause;
use meshwhy::diagnosis::Confidence::{self, Certain, Likely};

use super::hosts::serves;
use crate::check::finding::Finding;
use crate::check::host::overlap;
use crate::check::mesh::Mesh;
use crate::check::model::{Gateway, Host, HttpRoute, Reads, Server, VirtualService, applies};

pub fn findings(mesh: &Mesh) -> Vec<Finding> {
    let mut findings = Vec::new();
    for gateway in &mesh.gateways {
        let door = Door { mesh, gateway, name: gateway.name(), served: RefCell::default() };
        findings.extend(mesh.bound_to(gateway).flat_map(|service| door.mismatches(service)));
    }
    findings
}

/// A Gateway, seen from the VirtualServices bound to it.
struct Door<'mesh> {
    mesh: &'mesh Mesh,
    gateway: &'mesh Gateway,
    name: String,
    /// What [`Self::is_served`] found, by the server's line.
    served: RefCell<HashMap<usize, bool>>,
}

impl Door<'_> {
    /// Only `tls` routes where TLS is terminated, or only `http` routes where it is not.
    fn mismatches(&self, service: &VirtualService) -> Vec<Finding> {
        let servers = || self.gateway.servers.iter().filter(|server| takes(server, service));
        let effective = servers().any(|server| self.uses(server, service));
        // What works at another door is perhaps only meant for that one.
        let elsewhere = effective || service.gateways.len() > 1;
        let confidence = if elsewhere { Likely } else { Certain };
        let wrong = servers().filter(|server| !(effective && self.is_served(server)));
        let finding = |server| self.mismatch(server, service, confidence);
        wrong.filter_map(finding).map(|finding| finding.with(&self.gateway.origin)).collect()
    }

    fn mismatch(&self, server: &Server, service: &VirtualService, confidence: Confidence) -> Option<Finding> {
        let (http, tls) = (self.sends_http(server, service), !service.tls.is_empty());
        match server.reads {
            Reads::Http if server.terminates && tls && service.http.is_empty() => {
                Some(self.tls_behind_termination(server, service, confidence))
            }
            Reads::Tls if http && !tls => Some(self.http_behind_passthrough(server, service, confidence)),
            Reads::Tls if !tls && !service.tcp.is_empty() && service.http.is_empty() => {
                Some(self.tcp_behind_passthrough(server, service, confidence))
            }
            Reads::Tcp if server.terminates && tls && service.tcp.is_empty() => {
                Some(self.tls_behind_tcp(server, service, confidence))
            }
            Reads::Tcp if server.terminates && http && service.tcp.is_empty() => {
                Some(self.http_behind_tcp(server, service, confidence))
            }
            _ => None,
        }
    }

    fn tls_behind_termination(
        &self,
        server: &Server,
        service: &VirtualService,
        confidence: Confidence,
    ) -> Finding {
        let hosts = host_names(server, service);
        let port = server.port;
        let dead = format!(
            "{} terminates TLS on port {port} (mode {}), so the `tls` routes are never looked at",
            self.gateway.origin.id(),
            server.mode
        );
        let others = || self.mesh.bound_to(self.gateway).filter(|other| self.uses(server, other));
        let covered = others().any(|other| {
            taken(server, service).any(|host| other.hosts.iter().any(|own| overlap(&own.full, &host.full)))
        });
        let (cause, confidence, what) = if covered {
            let what = format!("{dead}; another VirtualService with `http` routes answers for {hosts}.");
            (Cause::VirtualServiceNotApplied, Likely, what)
        } else if others().next().is_some() {
            (Cause::RouteHostUnknown, confidence, format!("{dead}: requests for {hosts} get 404."))
        } else {
            let what = format!("{dead}, and no `http` route is bound to the port: every request gets 404.");
            (Cause::GatewayWithoutHttpRoutes, confidence, what)
        };
        let fix = "Give the VirtualService `http` routes instead of `tls`; or set the Gateway's tls mode to PASSTHROUGH \
                   if the backend is to get the TLS untouched.";
        Finding::new(cause, confidence, &service.origin, service.block_lines.tls, what, fix.to_owned())
    }

    fn tls_behind_tcp(&self, server: &Server, service: &VirtualService, confidence: Confidence) -> Finding {
        let what = format!(
            "{} terminates TLS on port {} (protocol TLS, mode {}) and then looks at `tcp` routes only: the `tls` routes for {} \
             make no filter chain, and connections are refused or closed.",
            self.gateway.origin.id(),
            server.port,
            server.mode,
            host_names(server, service),
        );
        let fix = "Give the VirtualService `tcp` routes instead of `tls`; or set the Gateway's tls mode to PASSTHROUGH if the \
                   backend is to get the TLS untouched.";
        let line = service.block_lines.tls;
        Finding::new(Cause::NoFilterChainForSni, confidence, &service.origin, line, what, fix.to_owned())
    }

    /// Protocol TLS rather than HTTPS: Istio 1.31 makes no listener where no `tcp` route is bound.
    fn http_behind_tcp(&self, server: &Server, service: &VirtualService, confidence: Confidence) -> Finding {
        let consequence = if self.is_served(server) {
            "connections for them are closed without an answer"
        } else {
            "with no `tcp` route for the port Istio makes no listener, and connections are refused"
        };
        let what = format!(
            "{} terminates TLS on port {} as protocol TLS (mode {}), behind which only `tcp` routes are looked at, never the \
             `http` routes for {}: {consequence}.",
            self.gateway.origin.id(),
            server.port,
            server.mode,
            host_names(server, service),
        );
        let fix = "Set the server's `protocol` to HTTPS in the Gateway and keep the `http` routes; or give the VirtualService \
                   `tcp` routes if the decrypted bytes are to be passed on as they are.";
        let line = service.block_lines.http;
        Finding::new(Cause::NoFilterChainForSni, confidence, &service.origin, line, what, fix.to_owned())
    }

    fn tcp_behind_passthrough(
        &self,
        server: &Server,
        service: &VirtualService,
        confidence: Confidence,
    ) -> Finding {
        let what = format!(
            "{} passes TLS through on port {} (mode PASSTHROUGH, which is also what a `tls` block without `mode` means), so the \
             `tcp` routes for {} are never looked at: {}.",
            self.gateway.origin.id(),
            server.port,
            host_names(server, service),
            self.without_tls_routes(server),
        );
        let fix = "Set the Gateway's tls mode to SIMPLE if it is to terminate TLS; or give the VirtualService `tls` routes that \
                   match `sniHosts`.";
        let line = service.block_lines.tcp;
        Finding::new(Cause::NoFilterChainForSni, confidence, &service.origin, line, what, fix.to_owned())
    }

    fn without_tls_routes(&self, server: &Server) -> &'static str {
        if self.is_served(server) {
            "connections for its hosts are closed without an answer"
        } else {
            "with no `tls` route for the port Istio makes no listener, and connections are refused"
        }
    }

    fn http_behind_passthrough(
        &self,
        server: &Server,
        service: &VirtualService,
        confidence: Confidence,
    ) -> Finding {
        let what = format!(
            "{} passes TLS through on port {} (mode PASSTHROUGH), so the `http` routes for {} are never looked at: {}.",
            self.gateway.origin.id(),
            server.port,
            host_names(server, service),
            self.without_tls_routes(server),
        );
        let fix = format!(
            "Give the VirtualService `tls` routes that match `sniHosts` ({}); or terminate TLS at the Gateway (mode SIMPLE \
             with a credentialName) and keep the `http` routes.",
            host_names(server, service),
        );
        Finding::new(
            Cause::NoFilterChainForSni,
            confidence,
            &service.origin,
            service.block_lines.http,
            what,
            fix,
        )
    }

    /// Whether some VirtualService has routes of the kind that a server looks at.
    fn is_served(&self, server: &Server) -> bool {
        *self.served.borrow_mut().entry(server.line).or_insert_with(|| {
            self.mesh
                .bound_to(self.gateway)
                .any(|service| takes(server, service) && self.uses(server, service))
        })
    }

    fn uses(&self, server: &Server, service: &VirtualService) -> bool {
        let at = |matches| applies(matches, &self.name, Some(server.port));
        takes(server, service)
            && match server.reads {
                // It answers everything with a redirect.
                Reads::Http if server.redirects => false,
                Reads::Http => service.http.iter().any(|route| at(&route.matches)),
                Reads::Tls => service.tls.iter().any(|route| at(&route.matches)),
                Reads::Tcp => service.tcp.iter().any(|route| at(&route.matches)),
                Reads::Nothing => false,
            }
    }

    /// Whether `http` routes that send anywhere are meant for a server's port.
    fn sends_http(&self, server: &Server, service: &VirtualService) -> bool {
        let meant = |route: &HttpRoute| applies(&route.matches, &self.name, Some(server.port));
        service
            .http
            .iter()
            .any(|route| meant(route) && (route.delegate.is_some() || !route.destinations.is_empty()))
    }
}

fn takes(server: &Server, service: &VirtualService) -> bool {
    taken(server, service).next().is_some()
}

/// The hosts of a VirtualService that a server has.
fn taken<'mesh>(server: &'mesh Server, service: &'mesh VirtualService) -> impl Iterator<Item = &'mesh Host> {
    service.hosts.iter().filter(|host| serves(server, &service.origin.namespace, host))
}

fn host_names(server: &Server, service: &VirtualService) -> String {
    taken(server, service).map(|host| host.written.as_str()).collect::<Vec<_>>().join(", ")
}
