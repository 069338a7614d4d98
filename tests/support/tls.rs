//! TLS for servers under test.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use super::config::{Builder, Listen};

/// Where servers listen for TLS.
pub const TLS_PORT: u16 = 5061;

/// A self-signed certificate and its key, made once for a test run: it need not be trusted for longer.
static CERTIFICATE: LazyLock<[String; 2]> = LazyLock::new(|| {
    let dir = TempDir::with_prefix("certificate-").expect("a folder for the certificate");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=presence.test", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("openssl can be executed");
    assert!(made.status.success(), "no certificate: {}", String::from_utf8_lossy(&made.stderr));
    ["certificate.pem", "key.pem"].map(|name| fs::read_to_string(dir.path().join(name)).expect("what openssl made"))
});

impl Builder {
    /// UDP, TCP and TLS on [`Builder::ip`], with a self-signed certificate.
    pub fn tls(self) -> Builder {
        let [certificate, key] = &*CERTIFICATE;
        let ip = self.ip();
        self.listen(Listen::udp(ip))
            .listen(Listen::tcp(ip))
            .listen(Listen::on("tls", (ip, TLS_PORT).into()))
            .global("enable_tls=yes")
            .module("tls")
            .file("certificate.pem", certificate)
            .file("key.pem", key)
            .modparam("tls", "tls_method", "TLSv1.2+")
            .modparam("tls", "certificate", "{dir}/certificate.pem")
            .modparam("tls", "private_key", "{dir}/key.pem")
    }
}
