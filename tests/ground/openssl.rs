//! Keys and certificates, made by OpenSSL.

use std::path::{Path, PathBuf};
use std::process::Command;

fn openssl(arguments: &[&str]) {
    let done = Command::new("openssl").args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Files of this name in a folder, which is made.
fn files<const N: usize>(folder: &Path, name: &str, endings: [&str; N]) -> [PathBuf; N] {
    std::fs::create_dir_all(folder).unwrap();
    endings.map(|ending| folder.join(format!("{name}.{ending}")))
}

/// A certificate of this machine that signs itself, and the file of its key.
pub(crate) fn certificate(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let [certificate, key] = files(folder, name, ["crt", "key"]);
    let kind =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
    let use_of_it = ["-addext", "basicConstraints=critical,CA:FALSE"];
    let files = ["-keyout", key.to_str().unwrap(), "-out", certificate.to_str().unwrap()];
    openssl(&[&kind[..], &subject, &use_of_it, &files].concat());
    (certificate, key)
}

/// An RSA key, as PEM, and the file of its public key.
pub(crate) fn rsa(folder: &Path, name: &str) -> (String, PathBuf) {
    let [private, public] = files(folder, name, ["key", "pem"]);
    let (at, public_at) = (private.to_str().unwrap(), public.to_str().unwrap());
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", at]);
    openssl(&["pkey", "-in", at, "-pubout", "-out", public_at]);
    let pem = std::fs::read_to_string(&private).unwrap();
    std::fs::remove_file(private).unwrap();
    (pem, public)
}
