//! What is played on a real Istio: the stories of Istio's page, and meshwhy as users deploy it.

/// A Gateway on the ingress gateway's HTTP port, and a VirtualService of the same name that is bound to it: the name, its host, and the
/// rest of its `spec`.
macro_rules! through_ingress {
    ($name:literal, $host:literal, $($rest:literal),+) => {
        concat!(
            "
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: ",
            $name,
            ", namespace: default}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ",
            $name,
            ", namespace: default}
spec:
  hosts: [",
            $host,
            "]
  gateways: [",
            $name,
            "]",
            $($rest),+
        )
    };
}

pub mod access_logs;
pub mod demo;
pub mod deployment;
pub mod explained;
pub mod fail_policy;
pub mod helm;
pub mod injected;
pub mod kubectl;
pub mod lanes;
pub mod operator;
pub mod overlays;
pub mod stories;
pub mod story;
pub mod table;
pub mod traces;
pub mod walk;
