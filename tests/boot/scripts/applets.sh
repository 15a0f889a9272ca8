# Sixty of busybox's applets and more, each called by name; prints the same wherever it runs.
PATH=/bin; export PATH
LC_ALL=C; export LC_ALL
TZ=UTC; export TZ
cd "$1" || exit 1
b="busybox"
$b mkdir -p d/e/f
$b seq 1 20 >n
$b printf 'b 2\na 1\nc 3\n' >t
$b echo -e 'x\ty' | $b expand
$b sort t | $b head -2
$b tail -n 1 t
$b cat n | $b wc -l
$b tac n | $b head -1
$b rev t
$b cut -d' ' -f2 t
$b tr a-z A-Z <t
$b sed 's/a/A/;2d' t
$b awk '{ s += $2 } END { print s, NR }' t
$b grep -c '[ab]' t
$b egrep 'a|c' t
$b fgrep b t
$b uniq -c n | $b tail -1 | $b awk '{ print $1, $2 }'
$b paste -d, n n | $b head -1
$b nl t | $b tail -1
$b od -An -tx1 t | $b head -1
$b hexdump -C t | $b head -1
$b xxd t | $b head -1
$b md5sum t
$b sha1sum t
$b sha256sum t
$b sha512sum t | $b cut -c1-20
$b crc32 t 2>/dev/null || $b echo no crc32
$b base64 t
$b base64 t | $b base64 -d | $b cmp - t && $b echo same
$b uuencode t x | $b head -1
$b cp t u; $b mv u v; $b ls -1
$b ln -s t link; $b readlink link
$b ln t hard; $b stat -c '%h %s %F' hard
$b touch -d '2020-01-02 03:04:05' v; $b date -r v
$b chmod 640 v; $b stat -c %a v
$b rm v hard; $b ls -1F
$b rmdir d/e/f && $b find d | $b sort
$b basename /a/b.c .c; $b dirname /a/b.c
$b expr 6 '*' 7
$b test -f t && $b echo is a file
$b [ 1 -lt 2 ] && $b echo less
$b true; $b echo $?; $b false; $b echo $?
$b yes no | $b head -n 2
$b tee copy <t | $b wc -c; $b cmp copy t && $b echo tee
$b dd if=n of=part bs=4 count=2 2>/dev/null; $b wc -c <part
$b gzip -c n | $b gunzip | $b cmp - n && $b echo gzip
$b bzip2 -c n | $b bunzip2 | $b cmp - n && $b echo bzip2
$b tar cf a.tar t n && $b tar tf a.tar
$b mkdir out && $b tar xf a.tar -C out && $b diff -r out/t t && $b echo tar
$b printf 't\nn\n' | $b cpio -o -H newc 2>/dev/null >a.cpio; $b cpio -t <a.cpio 2>/dev/null
$b diff t copy && $b echo no difference
$b diff t n >/dev/null; $b echo $?
$b fold -w 3 t | $b head -2
$b shuf n | $b sort -n | $b tail -1
$b factor 60
$b cal 2 2024
$b xargs -n 5 <n | $b wc -l
$b sleep 0; $b usleep 10
$b timeout 5 $b echo in time
$b nohup $b echo hup 2>/dev/null
$b mktemp -u /tmp/xXXXXXX | $b cut -c1-6
$b realpath link | $b sed 's,.*/,,'
$b truncate -s 100 z; $b stat -c %s z
$b mkfifo p; ($b echo through >p &); $b cat p
$b id -u; $b whoami
$b logname 2>/dev/null || $b echo no login
$b pwd | $b wc -l
$b which sh | $b wc -l
$b strings t | $b wc -l
$b unexpand -a t | $b wc -l
$b dos2unix <t | $b unix2dos | $b od -c | $b head -1
$b bc -l <<X 2>/dev/null || $b echo no bc
2^100
X
$b dc -e '2 64 ^ p' 2>/dev/null
$b ed -s t <<X 2>/dev/null
,s/a/b/
1p
Q
X
$b vi --help >/dev/null 2>&1; $b echo vi
$b ipcalc -n 10.1.2.3/8
$b cryptpw -m md5 -S abcdefgh pw 2>/dev/null
$b rm -r d out; $b ls | $b wc -l
$b getopt ab: -a -b x y
$b ascii 2>/dev/null | $b head -1
$b seq -s + 1 5
$b uname -s
$b run-parts --test . | $b wc -l
