//! How long a certificate is valid. The libraries that judge certificates keep that to themselves, so it is
//! read here: of the X.509 structure (RFC 5280, 4.1) no more than what stands before it.

/// How long a certificate is valid, both in Unix seconds and included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// From when on.
    pub not_before_s: u64,
    /// Until when.
    pub not_after_s: u64,
}

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which old certificates leave out.
const VERSION: u8 = 0xa0;

impl Validity {
    /// That of a certificate in DER; `None` where it is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (body, _) = take(certificate, SEQUENCE)?;
        let (mut rest, _) = take(body, SEQUENCE)?;
        if let Some((_, behind)) = take(rest, VERSION) {
            rest = behind;
        }
        // Serial number, algorithm, issuer.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            rest = take(rest, tag)?.1;
        }
        let (validity, _) = take(rest, SEQUENCE)?;
        let (not_before_s, rest) = take_time(validity)?;
        let (not_after_s, _) = take_time(rest)?;
        Some(Self {
            not_before_s,
            not_after_s,
        })
    }

    /// Why it is not valid at that time, in Unix seconds; `None` if it is.
    pub fn wrong_at(&self, now_s: u64) -> Option<String> {
        const DAY_S: u64 = 86_400;
        if now_s > self.not_after_s {
            let days = (now_s - self.not_after_s) / DAY_S;
            return Some(format!("expired {days} days ago"));
        }
        (now_s < self.not_before_s).then(|| "is not valid yet".to_owned())
    }
}

/// The content of the element that `der` starts with, if it has that tag, and what follows it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, first, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = match *first {
        length @ ..=0x7f => (usize::from(length), rest),
        // The length has so many bytes of its own.
        bytes @ 0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(bytes - 0x80))?;
            let add = |sum: usize, byte: &u8| (sum << 8) | usize::from(*byte);
            (length.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    if *found != tag {
        return None;
    }
    rest.split_at_checked(length)
}

/// The time that `der` starts with, in Unix seconds, and what follows it. Years before 1970 count as that.
fn take_time(der: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, century, rest) = match take(der, UTC_TIME) {
        Some((text, rest)) => {
            let year = number(text.get(..2)?)?;
            // RFC 5280, 4.1.2.5.1.
            let century = if year < 50 { 2000 } else { 1900 };
            (text, Some(century + year), rest)
        }
        None => {
            let (text, rest) = take(der, GENERALIZED_TIME)?;
            (text, None, rest)
        }
    };
    let (year, digits) = match century {
        Some(year) => (year, digits.get(2..)?),
        None => (number(digits.get(..4)?)?, digits.get(4..)?),
    };
    if digits.len() != 11 || digits[10] != b'Z' {
        return None;
    }
    let part = |at: usize| number(&digits[at..at + 2]);
    let days = days_since_1970(year, part(0)?, part(2)?)?;
    let seconds = days * 86_400 + part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    Some((u64::try_from(seconds).unwrap_or(0), rest))
}

fn number(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?
        .parse()
        .ok()
}

/// Days from 1970-01-01 in the Gregorian calendar, by counting years from March so that the leap day ends one.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element of less than 128 bytes.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[tag, length], content].concat()
    }

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        take_time(&element(tag, text.as_bytes())).map(|(seconds, _)| seconds)
    }

    #[test]
    fn times_are_read_as_the_standard_writes_them() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (UTC_TIME, "500101000000Z", Some(0)),
            (UTC_TIME, "240229120000Z", Some(1_709_208_000)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "40960101000000Z", Some(67_090_118_400)),
            (UTC_TIME, "241301000000Z", None),
            (UTC_TIME, "2402291200Z", None),
            (UTC_TIME, "240229120000+", None),
            (UTC_TIME, "+40229120000Z", None),
            (GENERALIZED_TIME, "2024", None),
        ] {
            assert_eq!(seconds(tag, text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_cut_off_anywhere_is_no_certificate() {
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let der = certificate.der();
        let whole = Validity::of(der).unwrap();
        // What rcgen takes where nothing is said: from 1975 to 4096.
        assert_eq!(whole.not_before_s, 157_766_400);
        assert_eq!(whole.not_after_s, 67_090_118_400);
        for length in 0..der.len() {
            assert_eq!(Validity::of(&der[..length]), None, "{length}");
        }
        assert_eq!(
            Validity::of(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }

    #[test]
    fn it_is_wrong_before_and_after() {
        let validity = Validity {
            not_before_s: 100,
            not_after_s: 200,
        };
        assert_eq!(validity.wrong_at(99).unwrap(), "is not valid yet");
        assert_eq!(
            (validity.wrong_at(100), validity.wrong_at(200)),
            (None, None)
        );
        assert_eq!(
            validity.wrong_at(201 + 3 * 86_400).unwrap(),
            "expired 3 days ago"
        );
    }
}
