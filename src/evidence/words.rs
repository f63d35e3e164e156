//! Sentences of Envoy and its libraries that stand in known places: known by their words.
//!
//! A sentence is kept if it is made of these words alone. They are those of Envoy's JWT statuses, of BoringSSL's texts on
//! certificates (`X509_verify_cert_error_string`), of what Envoy's certificate validators add, of the C library's error
//! texts for sockets, and of resolvers' errors (Envoy 1.36 and 1.40, glibc 2.31 to 2.41).

/// The words of no letter, of one, of two, ...: each with a space behind it.
const WORDS: &[&str] = &[
    "",
    "3 a b e n s t x y ",
    "64 an be by ca ec in ip is no of ok on or to ",
    "alg and any are aud bad bit but crl ctx der did dns exp gai get has iat iss jti jwt key kid nbf \
     non not now oct okp out rfc rsa san set sub the too two uri use was yet ",
    "3779 cert data does dots down fail file flag form from hash have host init json jwks keys leaf \
     list long many must name open path peer pipe sans self spki such type with x509 ",
    "abort apple array being cares chain could doesn email empty error fails fetch field files first \
     found input known local match parse proxy query reply reset route scope setup space store suite \
     timed trust usage valid value while wrong ",
    "answer assign base64 broken buffer bundle cannot caused client create decode denied domain \
     failed family fields format header issuer length lookup memory number output parent please \
     policy public remote serial server signed string subset syntax system tokens unable verify ",
    "address allowed already channel contact context decrypt digital dropped ed25519 encoded expired \
     failure feature general include integer invalid matcher maximum minimum missing network payload \
     provide purpose refused resolve revoked servers service signing started subject subtree success \
     timeout trusted unknown ",
    "argument critical encoding endpoint exceeded excluded expected explicit hostname identity \
     markings mismatch multiple notafter positive precheck progress protocol rejected required \
     resource returned routines sections software strerror verified ",
    "audiences authority available base64url cancelled connected destroyed different directory \
     extension implement norecords notbefore operation permitted requested resources signature \
     supported temporary transport unhandled violation ",
    "associated configured connection constraint contacting descriptor getifaddrs identifier \
     lastupdate mismatches nextupdate permission resolution validation ",
    "application appropriate certificate constraints destination getaddrinfo recoverable temporarily \
     unavailable unreachable unsupported ",
    "certificates inconsistent misformatted verification ",
];

/// The longest sentence is shorter.
const LONGEST: usize = 100;

/// Whether it is made of the known words, whatever their case; spaces may be underscores.
pub(super) fn is_known(sentence: &str) -> bool {
    let is_word = |part: &str| {
        let known = WORDS.get(part.len()).unwrap_or(&"").as_bytes();
        let mut same_length = known.chunks_exact(part.len().saturating_add(1));
        part.is_empty() || same_length.any(|word| word.trim_ascii_end().eq_ignore_ascii_case(part.as_bytes()))
    };
    let is_between = |byte: u8| {
        matches!(byte, b' ' | b'_' | b'.' | b',' | b':' | b'\'' | b'-' | b'/' | b'[' | b']' | b'(' | b')')
    };
    let between = |c: char| u8::try_from(c).is_ok_and(is_between);
    !sentence.is_empty() && sentence.len() <= LONGEST && sentence.split(between).all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_sentences_are_known_and_others_are_not() {
        for sentence in [
            "Jwt is missing",
            "Jwks_doesn't_have_key_to_match_kid_or_alg_from_Jwt",
            "Jwt_is_not_in_the_form_of_Header.Payload.Signature_with_two_dots_and_3_sections",
            "[keys]_in_Jwks_is_not_an_array",
            "format error in certificate's notBefore field",
            "invalid non-CA certificate (has CA markings)",
            "Connection reset by peer",
            "cares_failure:Domain_name_not_found",
        ] {
            assert!(is_known(sentence), "{sentence}");
        }
        for other in ["", "Jwt secret is missing", "Jwt is missing;", "certificate has expired\n", "42"] {
            assert!(!is_known(other), "{other}");
        }
        assert!(!is_known(&"is ".repeat(40)));
    }
}
