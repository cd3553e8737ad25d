//! examples/session/common.rs: passwords that nobody may choose.

/// Some of the most used, for the demonstration. OWASP ASVS 5.0 6.2.4 asks for the 3,000 most used
/// that your rules allow; read them from a file.
const MOST_USED: &str = "
    000000 111111 112233 121212 123123 123321 1234 12345 123456 1234567 12345678 123456789
    1234567890 123abc 123qwe 131313 159753 1q2w3e 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 222222 555555 654321
    666666 696969 777777 7777777 987654321 aa123456 abc123 abcd1234 access admin admin123 amanda
    andrew asdfgh asdfghjkl ashley bailey baseball batman buster changeme charlie cheese chocolate
    computer daniel dragon flower football freedom george ginger hannah harley hello hockey hunter
    iloveyou jennifer jessica jordan joshua justin killer letmein login love maggie master matthew
    michael michelle monkey mustang nicole ninja pass password password1 password123 pepper
    princess qazwsx qwerty qwerty123 qwertyuiop ranger robert samsung secret shadow soccer starwars
    summer sunshine superman test thomas thunder tigger trustno1 welcome whatever zaq12wsx zxcvbnm
";

/// In whatever case it is written.
pub fn is_common(chosen: &str) -> bool {
    MOST_USED.split_whitespace().any(|common| common.eq_ignore_ascii_case(chosen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_password_is_told_in_any_case() {
        assert!(MOST_USED.split_whitespace().count() >= 100);
        assert!(["123456", "Password", "QWERTY"].into_iter().all(is_common));
        assert!(!is_common("correct horse battery staple"));
    }
}
