//! Whether as many clients as may connect have room for what TLS holds of each.

use larder_server::{TLS_CONNECTION_BYTES, buffers_for_known};

use super::{Judged, Verdict};
use crate::config::{ByteSize, Config};

pub(super) fn check(config: &Config) -> Judged {
    if config.tls.served().is_none_or(|tls| tls.listen.is_none()) {
        return Ok(Verdict::fine("no client comes over TLS"));
    }
    let clients = config.limits.clients_max as u64;
    let buffers = config.limits.client_buffers_max;
    let needed = buffers_for_known(clients.saturating_mul(TLS_CONNECTION_BYTES));
    let told = format!(
        "{clients} clients over TLS take {} MiB of limits.client_buffers_max = {buffers}",
        needed.div_ceil(1 << 20)
    );
    if needed <= buffers.bytes() {
        return Ok(Verdict::fine(told));
    }
    let needed = ByteSize::mib(needed.div_ceil(1 << 20));
    Ok(Verdict::wrong(
        format!("{told}: those above it are turned away"),
        format!("larder serve --limits-client-buffers-max {needed}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_wrong, config};
    use super::*;

    fn check_with(flags: &[(&str, &str)]) -> Judged {
        let tls = [
            ("tls.listen", "127.0.0.1:0"),
            ("tls.cert", "cert.pem"),
            ("tls.key", "key.pem"),
        ];
        check(&config(&[&tls, flags].concat()))
    }

    #[test]
    fn as_many_as_may_come_have_room() {
        assert_fine(check(&config(&[])), "no client comes over TLS");
        let few = ("limits.clients_max", "7000");
        assert_fine(check_with(&[few]), "7000 clients over TLS take 250 MiB");
        assert_wrong(
            check_with(&[]),
            "10000 clients over TLS take 358 MiB",
            "--limits-client-buffers-max 358MiB",
        );
        let more = ("limits.client_buffers_max", "358MiB");
        assert_fine(check_with(&[more]), "358MiB");
    }
}
