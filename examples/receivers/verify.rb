# Verify a webhook of Leadwire: ruby verify.rb SECRET ID TIMESTAMP SIGNATURE < body
require "base64"
require "openssl"

def verify(secret, id, timestamp, signature, body)
  # Too old, or a clock is wrong: somebody may be sending an old one again.
  return false unless timestamp.match?(/\A\d+\z/) && (Time.now.to_i - timestamp.to_i).abs <= 300

  key = Base64.decode64(secret.delete_prefix("whsec_"))
  mac = OpenSSL::HMAC.digest("SHA256", key, "#{id}.#{timestamp}.".b + body.b)
  expected = "v1,#{Base64.strict_encode64(mac)}"
  signature.split(" ").any? { |one| OpenSSL.secure_compare(one, expected) }
end

exit(verify(*ARGV[0, 4], $stdin.binmode.read) ? 0 : 1) if $PROGRAM_NAME == __FILE__
