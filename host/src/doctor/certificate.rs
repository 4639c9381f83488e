//! Whether TLS can be spoken with the files that the settings name, and for how long.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::{SystemTime, UNIX_EPOCH};

use larder_server::{TlsConfig, check_tls};

use super::machine::Unreadable;
use super::{Judged, Verdict};
use crate::config::Config;

/// Every user may read.
const OTHERS_READ: u32 = 0o004;
const DAY_S: u64 = 86_400;
/// A certificate that ends sooner is told of; the alert of the same name waits for as long.
const DAYS_MIN: u64 = 14;

pub(super) fn check(config: &Config, now: SystemTime) -> Judged {
    match config.tls.served() {
        None => Ok(Verdict::fine("TLS is spoken nowhere")),
        Some(tls) => {
            let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            judge(&tls, since.as_secs())
        }
    }
}

fn judge(tls: &TlsConfig, now_s: u64) -> Judged {
    let (cert, key) = (tls.cert.display(), tls.key.display());
    let validity = match check_tls(tls) {
        Ok(validity) => validity,
        Err(error) => {
            let path = error.path.display();
            return Ok(Verdict::wrong(
                error.to_string(),
                format!("ls -l {path}; grep -e BEGIN {path}    # what is in it"),
            ));
        }
    };
    let metadata = fs::metadata(&tls.key).map_err(|error| Unreadable::new(&tls.key, error))?;
    if metadata.mode() & OTHERS_READ != 0 {
        return Ok(Verdict::wrong(
            format!("every user may read the private key {key}"),
            format!("chmod o-r {key}"),
        ));
    }
    let dates = format!("openssl x509 -in {cert} -noout -dates    # and have a new one issued");
    if let Some(why) = validity.wrong_at(now_s) {
        let found = format!("the certificate {cert} {why}: clients that check it refuse it");
        return Ok(Verdict::wrong(found, dates));
    }
    let days = (validity.not_after_s - now_s) / DAY_S;
    let found = format!("the certificate {cert} is valid for {days} days");
    Ok(match days {
        0..DAYS_MIN => Verdict::wrong(found, dates),
        _ => Verdict::fine(found),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::super::testing::{assert_fine, assert_wrong, config};
    use super::*;

    fn config_of(folder: &Path) -> Config {
        let path = |name: &str| folder.join(name).display().to_string();
        config(&[
            ("tls.listen", "127.0.0.1:0"),
            ("tls.cert", &path("cert")),
            ("tls.key", &path("key")),
        ])
    }

    #[test]
    fn files_their_time_and_who_may_read_the_key_are_judged() {
        let at = |days: u64| UNIX_EPOCH + std::time::Duration::from_secs(days * DAY_S);
        assert_fine(check(&config(&[]), at(0)), "nowhere");
        let folder = tempfile::tempdir().unwrap();
        let tls = config_of(folder.path());
        assert_wrong(check(&tls, at(0)), "cannot be read", "ls -l");

        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(1970, 1, 11);
        params.not_after = date_time_ymd(1970, 4, 11);
        let cert = params.self_signed(&key).unwrap().pem();
        fs::write(folder.path().join("cert"), cert).unwrap();
        let private = folder.path().join("key");
        fs::write(&private, key.serialize_pem()).unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o644)).unwrap();
        assert_wrong(check(&tls, at(20)), "every user may read", "chmod o-r");
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
        assert_fine(check(&tls, at(20)), "valid for 80 days");
        for (day, said) in [
            (9, "not valid yet"),
            (90, "valid for 10 days"),
            (103, "expired 3 days"),
        ] {
            assert_wrong(check(&tls, at(day)), said, "openssl x509");
        }
    }
}
