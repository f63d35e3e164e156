//! Sentences of Envoy and its libraries that stand in known places: known by their words.
//!
//! A sentence is kept if it is made of these words alone. They are those of Envoy's JWT statuses,
//! of BoringSSL's texts on certificates (`X509_verify_cert_error_string`), of what Envoy's
//! certificate validators add, of the C library's error texts for sockets, of gRPC's status codes
//! and of resolvers' errors (Envoy 1.36 and 1.40, glibc 2.31 to 2.41).

use std::cmp::Ordering;

/// In small letters, in the order of their bytes. One text: a reference to each word would take as much room as the word.
const WORDS: &str = "\
    3 3779 64 a abort aborted address alg allowed already an and answer any apple application \
    appropriate are argument array assign associated aud audiences authority available b bad base64 \
    base64url be being bit broken buffer bundle but by ca cancelled cannot cares caused cert \
    certificate certificates chain channel client configured connected connection constraint \
    constraints contact contacting context could create critical crl ctx data deadline decode \
    decrypt denied der descriptor destination destroyed did different digital directory dns does \
    doesn domain dots down dropped e ec ed25519 email empty encoded encoding endpoint error exceeded \
    excluded exhausted exists exp expected expired explicit extension fail failed fails failure \
    family feature fetch field fields file files first flag form format found from gai general get \
    getaddrinfo getifaddrs has hash have header host hostname iat identifier identity implement in \
    include inconsistent init input integer internal invalid ip is iss issuer json jti jwks jwt key \
    keys kid known lastupdate leaf length list local long lookup loss many markings match matcher \
    maximum memory minimum misformatted mismatch mismatches missing multiple must n name nbf network \
    nextupdate no non norecords not notafter notbefore now number oct of ok okp on open operation or \
    out output parent parse path payload peer permission permitted pipe please policy positive \
    precheck precondition progress protocol provide proxy public purpose query range recoverable \
    refused rejected remote reply requested required reset resolution resolve resource resources \
    returned revoked rfc route routines rsa s san sans scope sections self serial server servers \
    service set setup signature signed signing software space spki started store strerror string sub \
    subject subset subtree success such suite supported syntax system t temporarily temporary the \
    timed timeout to tokens too transport trust trusted two type unable unauthenticated unavailable \
    unhandled unimplemented unknown unreachable unsupported uri usage use valid validation value \
    verification verified verify violation was while with wrong x x509 y yet";

/// The longest sentence is shorter.
const LONGEST: usize = 100;

/// Whether it is made of the known words, whatever their case; spaces may be underscores.
pub(super) fn is_known(sentence: &str) -> bool {
    let mut parts = sentence.split([' ', '_', '.', ',', ':', '\'', '-', '/', '[', ']', '(', ')']);
    let is_fine = |part: &str| part.is_empty() || is_word(&part.to_ascii_lowercase());
    !sentence.is_empty() && sentence.len() <= LONGEST && parts.all(is_fine)
}

/// A search by halves, from the word that lies across the middle.
fn is_word(small: &str) -> bool {
    let mut rest = WORDS;
    while !rest.is_empty() {
        let (before, after) = rest.split_at_checked(rest.len() / 2).unwrap_or_default();
        let (lower, begun) = before.rsplit_once(' ').unwrap_or(("", before));
        let (ended, higher) = after.split_once(' ').unwrap_or((after, ""));
        rest = match small.bytes().cmp(begun.bytes().chain(ended.bytes())) {
            Ordering::Less => lower,
            Ordering::Equal => return true,
            Ordering::Greater => higher,
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_found() {
        assert!(WORDS.split(' ').is_sorted());
        assert!(WORDS.split(' ').all(|word| is_known(word) && is_known(&word.to_uppercase())));
    }

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
