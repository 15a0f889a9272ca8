# While a program takes all it can, the shell still answers, and runs programs unless there can be no
# more processes; after a kill all of it is gone.
counts()
{
	grep -E '^(files|threads|procs|vnodes|objects|map_entries|pt_pages|pages_busied) ' \
		/proc/quire/stats
}

mkfifo /tmp/never
: >/tmp/before >/tmp/after
counts >/tmp/before
for kind in "$@"; do
	group=$(/bin/abuse $kind)
	for i in 1 2 3; do
		read -t 1 line <>/tmp/never
		echo "$kind: $((i * 7))" /etc/pass*
	done
	[ $kind = forks -o $kind = crowd ] || echo "$kind: $(expr 6 \* 7)"
	while kill -9 -$group 2>/dev/null; do
		read -t 0.1 line <>/tmp/never
	done
	echo "$kind: $(ps | grep -c '[/]bin/abuse ') left"
	counts >/tmp/after
	diff /tmp/before /tmp/after
done
