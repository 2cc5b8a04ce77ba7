<?php
// Verify a webhook of Leadwire: php verify.php SECRET ID TIMESTAMP SIGNATURE < body

function verify(string $secret, string $id, string $timestamp, string $signature, string $body): bool
{
    if (!ctype_digit($timestamp) || abs(time() - (int) $timestamp) > 300) {
        return false; // too old, or a clock is wrong: somebody may be sending an old one again
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret));
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signature) as $one) {
        if (hash_equals($expected, $one)) {
            return true;
        }
    }
    return false;
}

if (PHP_SAPI === 'cli') {
    exit(verify($argv[1], $argv[2], $argv[3], $argv[4], file_get_contents('php://stdin')) ? 0 : 1);
}
