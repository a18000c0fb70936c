//! Certificates of a file, and for how long they hold.

use std::fs;
use std::io;
use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

/// Tags of DER.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// How many digits a time has that names its century.
const DIGITS: usize = 14;
/// Two digits from here on are years of the last century (RFC 5280).
const LAST_CENTURY: &str = "50";

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(CertificateDer<'static>);

/// For how long a certificate holds, both as `YYYYMMDDhhmmss` in UTC: texts compare as times do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Since when.
    pub from: String,
    /// Until when.
    pub until: String,
}

impl Certificate {
    /// All certificates of a file in PEM, in their order.
    ///
    /// # Errors
    /// It cannot be read, or has something in it that is none. It names the file.
    pub fn of_file(file: &Path) -> io::Result<Vec<Certificate>> {
        let named = |kind, why: String| io::Error::new(kind, format!("{}: {why}", file.display()));
        let pem = fs::read(file).map_err(|why| named(why.kind(), why.to_string()))?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let all = all.map_err(|why| named(io::ErrorKind::InvalidData, why.to_string()))?;
        Ok(all.into_iter().map(Certificate).collect())
    }

    /// Whether it is this one, as it is sent over a connection.
    pub fn is(&self, der: &[u8]) -> bool {
        *self.0 == *der
    }

    /// For how long it holds; none where it is not written as certificates are.
    pub fn validity(&self) -> Option<Validity> {
        let (whole, _) = inside(&self.0, SEQUENCE)?;
        let (mut rest, _) = inside(whole, SEQUENCE)?;
        if let Some((_, after)) = inside(rest, VERSION) {
            rest = after;
        }
        // Its number, the algorithm and who has issued it stand before.
        for _ in 0..3 {
            rest = element(rest)?.2;
        }
        let (times, _) = inside(rest, SEQUENCE)?;
        let (from, times) = time(times)?;
        let (until, _) = time(times)?;
        Some(Validity { from, until })
    }
}

/// The next element: its tag, what is in it, and what comes after it.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// What is in the next element, and what comes after it, where it has this tag.
fn inside(input: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    element(input).filter(|(tag, ..)| *tag == wanted).map(|(_, content, rest)| (content, rest))
}

/// The next element as a time, and what comes after it.
fn time(input: &[u8]) -> Option<(String, &[u8])> {
    let (tag, content, rest) = element(input)?;
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let whole = match tag {
        UTC_TIME => format!("{}{text}", if text.get(..2)? < LAST_CENTURY { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let is_whole = whole.len() == DIGITS && whole.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then_some((whole, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two certificates without their keys: one until 2027, and one from 1999 until 2051, which is written otherwise.
    const PEM: &str = "\
-----BEGIN CERTIFICATE-----
MIIBNTCB3KADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMMAWEwHhcNMjYw
MTA1MTAwMDAwWhcNMjcwMTA1MTAwMDAwWjAMMQowCAYDVQQDDAFhMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEwKcnHX7115h4EzfwCevjBkRyYOiey9BEnOKLFnhm
tsPPirOtyXWvXkhJ+OcX1Am0M8Gz/2UM045U9nWMpfHecqMvMC0wDAYDVR0TAQH/
BAIwADAdBgNVHQ4EFgQUFanOlKr/fhmO9lvD/AiH4Yr0n44wCgYIKoZIzj0EAwID
SAAwRQIgXXZUJpZu/Om6lccxmBVRmrNglxNiBllf8fhJjgK27EgCIQC8l3UkXAqG
Si5o2/eyE2g2kdx/0subvsqCmPgxkd9jyg==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBADCBqAIBAjAKBggqhkjOPQQDAjAMMQowCAYDVQQDDAFiMCAXDTk5MDEwNTEw
MDAwMFoYDzIwNTEwMzA1MTEzMDAwWjAMMQowCAYDVQQDDAFiMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAEvs6CFGfNqIBXd4ryZLDMOL4um2x4vwsCDsXoxSEaxWXt
1GU3UgvW2OA1HJKhBsXQPYZAYFRNDFGG965Ow9JZeDAKBggqhkjOPQQDAgNHADBE
AiBtBXf4V9fVYKB/lLoNZXYZbqU0JqAEaDy2gjCfr4/YTwIgK+NBDpgeDLNQMeAn
u7OdI4TYyLFrJ2IMizAANrMtvgg=
-----END CERTIFICATE-----
";

    fn file(name: &str, text: &str) -> std::path::PathBuf {
        let file = std::env::temp_dir().join(format!("lockstep-certificate-{}-{name}", std::process::id()));
        fs::write(&file, text).unwrap();
        file
    }

    #[test]
    fn each_certificate_of_a_file_tells_for_how_long_it_holds() {
        let file = file("two.pem", PEM);
        let all = Certificate::of_file(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let found: Vec<(String, String)> =
            all.iter().map(|one| one.validity().unwrap()).map(|one| (one.from, one.until)).collect();
        let expected = [("20260105100000", "20270105100000"), ("19990105100000", "20510305113000")];
        assert_eq!(found, expected.map(|(from, until)| (from.to_owned(), until.to_owned())));
        let [one, other] = &all[..] else { panic!("there are two") };
        assert!(one.is(&one.0) && !one.is(&other.0));
    }

    /// However one is cut off or changed, it is told or not, and nothing else happens.
    #[test]
    fn what_is_no_certificate_holds_for_no_time() {
        let file = file("cut.pem", PEM);
        let whole = Certificate::of_file(&file).unwrap().remove(0);
        fs::remove_file(&file).unwrap();
        let until = whole.validity();
        for length in 0..whole.0.len() {
            let cut = Certificate(CertificateDer::from(whole.0[..length].to_vec()));
            assert_eq!(cut.validity(), None, "{length}");
        }
        for at in 0..whole.0.len() {
            let mut bytes = whole.0.to_vec();
            bytes[at] ^= 0xff;
            let changed = Certificate(CertificateDer::from(bytes)).validity();
            assert!(changed.is_none() || changed == until, "{at}: {changed:?}");
        }
    }

    #[test]
    fn errors_name_the_file() {
        let file = file("none.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
        let why = Certificate::of_file(&file).unwrap_err().to_string();
        fs::remove_file(&file).unwrap();
        assert!(why.starts_with(&file.display().to_string()), "{why}");
        let why = Certificate::of_file(&file).unwrap_err().to_string();
        assert!(why.starts_with(&file.display().to_string()), "{why}");
    }
}
