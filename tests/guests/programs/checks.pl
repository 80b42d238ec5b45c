# Numbers, text and structures in perl.
use strict;
use warnings;
use Math::BigInt;
use Math::BigFloat;
use Digest::SHA qw(sha512_hex);
use Digest::MD5 qw(md5_hex);
use MIME::Base64;

my $state = 12345;
sub next_number { $state = ($state * 1103515245 + 12345) % 2147483648; return $state }

my %words;
$words{ join '', map { chr(97 + next_number() % 26) } 1 .. 1 + next_number() % 3 }++ for 1 .. 20000;
my @sorted = sort { $words{$b} <=> $words{$a} || $a cmp $b } keys %words;
print scalar(@sorted), " @sorted[0..9]\n";
print Math::BigInt->new(2)->bpow(521)->bsub(1), "\n";
print Math::BigFloat->bpi(60), "\n";
printf "%.17g %.17g %.17g %s\n", sin(1e6), exp(-3.5), atan2(1, -2), 1e23;
my $text = join ',', map { sprintf '%x', next_number() } 1 .. 500;
(my $changed = $text) =~ s/(\w)(\w+)/$2$1/g;
print sha512_hex($changed), ' ', md5_hex($text), "\n";
print encode_base64(pack('nNvVqQd<f>wU', 1, 2, 3, 4, -5, 6, 7.25, -8.5, 12345, 0x20ac), ''), "\n";
my $matches = () = $text =~ /(?<![0-9])[a-f]{2}(?=[0-9])/g;
print "$matches\n";
