/*
 * What execve and execveat do, and what a program then finds, a line each: the same on Linux and in
 * Quire. Without arguments it makes files in FOLDER and runs them; as "show" it tells how it was run.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/tmp/quire-execs/"
#define PROG   FOLDER "show"
#define BAD    ((char *)8)

extern char **environ;

static int
show(int argc, char **argv)
{
	const char *file = (char *)getauxval(AT_EXECFN);
	char name[16] = "";
	int envc = 0;

	while (environ[envc] != NULL)
		envc++;
	if (strncmp(file, "/dev/fd/", 8) != 0) /* newer Linuxes show another name then */
		prctl(PR_GET_NAME, name);
	printf("  run as %s, %s, %d variables, %d arguments:", file, name, envc, argc);
	for (int i = 0; i < argc; i++)
		printf(" <%.40s%s>", argv[i], strlen(argv[i]) > 40 ? "..." : "");
	printf("\n");
	return (0);
}

/* A file of len bytes. */
static void
make_file(const char *path, const void *data, size_t len, int mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		printf("%s: cannot be made: %s\n", path, strerror(errno));
	close(fd);
}

static void
copy_self(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	off_t len = lseek(fd, 0, SEEK_END);

	make_file(PROG, mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0), len, 0755);
	close(fd);
}

/* Run it in a child; fd AT_FDCWD: by execve. */
static void
run(const char *what, int fd, const char *path, char **argv, char **envp, int flags)
{
	int status;
	pid_t pid;

	printf("%s:\n", what);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (fd == AT_FDCWD && flags == 0)
			syscall(SYS_execve, path, argv, envp);
		else
			syscall(SYS_execveat, fd, path, argv, envp, flags);
		printf("  errno %d\n", errno);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status != 0)
		printf("  status %#x\n", status);
}

static char *no_env[] = {NULL}, *two_args[] = {"zero", "show", NULL};

static void
run_path(const char *what, const char *path)
{
	run(what, AT_FDCWD, path, two_args, no_env, 0);
}

/* --- scripts ---------------------------------------------------------------------------------- */

static void
script(const char *what, const char *text, size_t len)
{
	make_file(FOLDER "script", text, len, 0755);
	run_path(what, FOLDER "script");
}
#define SCRIPT(text) script(#text, text, sizeof(text) - 1)

static void
long_lines(void)
{
	char line[600];
	int n = sprintf(line, "#!" PROG " ");

	memset(line + n, 'x', sizeof(line) - n);
	script("an argument that is cut", line, sizeof(line));
	for (int at = 253; at < 258; at++) {
		memset(line, 'x', sizeof(line));
		memcpy(line, "#!/", 3);
		line[at] = ' ';
		printf("%d ", at);
		script("a name before a blank", line, sizeof(line));
		line[at] = '\n';
		printf("%d ", at);
		script("a name and the line's end", line, sizeof(line));
	}
}

static void
nested(int depth)
{
	char name[40], before[40], text[80];

	for (int i = 1; i <= depth; i++) {
		sprintf(name, FOLDER "nested%d", i);
		sprintf(before, FOLDER "nested%d", i - 1);
		sprintf(text, "#!%s %d\n", i == 1 ? PROG : before, i);
		make_file(name, text, strlen(text), 0755);
	}
	printf("%d ", depth);
	run_path("nested scripts", name);
}

static void
scripts(void)
{
	SCRIPT("#!" PROG);
	SCRIPT("#!" PROG "\n");
	SCRIPT("#!  \t" PROG "   one two\tthree \t \nrest\n");
	SCRIPT("#!" PROG " \t \n");
	SCRIPT("#!" PROG "\r\n");
	SCRIPT("#!" PROG " a\0b\n");
	SCRIPT("#!\n");
	SCRIPT("#! \t \n");
	SCRIPT("#!/no/such/program\n");
	SCRIPT("#!" FOLDER "script\n");
	SCRIPT("#!" FOLDER "\n");
	SCRIPT("#!/proc/self/exe\n");
	SCRIPT("#! show x\n");
	SCRIPT("#\n");
	SCRIPT(" #!" PROG "\n");
	long_lines();
	for (int i = 1; i <= 7; i++)
		nested(i);
	make_file(FOLDER "plain", "#!" PROG "\n", strlen(PROG) + 3, 0644);
	SCRIPT("#!" FOLDER "plain\n");
	run_path("not executable", FOLDER "plain");
}

/* --- paths and arguments ---------------------------------------------------------------------- */

static char big[(3 << 20) + 1];
static char *many[40];

/* n strings of len characters. */
static void
many_args(const char *what, int n, size_t len)
{
	memset(big, 'a', len);
	big[len] = '\0';
	many[0] = "zero";
	many[1] = "show";
	for (int i = 0; i < n; i++)
		many[2 + i] = big;
	many[2 + n] = NULL;
	run(what, AT_FDCWD, PROG, many, no_env, 0);
}

static void
arguments(void)
{
	char *bad_string[] = {"zero", BAD, NULL}, *env[] = {"A=1", "show", NULL};

	run("null argv", AT_FDCWD, PROG, NULL, env, 0);
	run("empty argv", AT_FDCWD, PROG, no_env, env, 0);
	run("null envp", AT_FDCWD, PROG, two_args, NULL, 0);
	run("bad path", AT_FDCWD, BAD, two_args, no_env, 0);
	run("bad argv", AT_FDCWD, PROG, (char **)BAD, no_env, 0);
	run("bad envp", AT_FDCWD, PROG, two_args, (char **)BAD, 0);
	run("bad string", AT_FDCWD, PROG, bad_string, no_env, 0);
	run("no path and bad string", AT_FDCWD, "", bad_string, no_env, 0);
	many_args("a string of 131071", 1, 131071);
	many_args("a string of 131072", 1, 131072);
	many_args("fifteen of 131071", 15, 131071);
	many_args("sixteen of 131071", 16, 131071);
	many_args("24 of 65535", 24, 65535);
	memset(big, '/', 5000);
	big[4095] = '\0';
	run_path("4095 slashes", big);
	big[4095] = '/';
	big[4096] = '\0';
	run_path("4096 slashes", big);
	run_path("no such file", FOLDER "none");
	run_path("a file for a folder", PROG "/x");
	run_path("a folder", FOLDER);
	run_path("a device", "/dev/null");
	make_file(FOLDER "file", "", 0, 0755);
	run_path("empty", FOLDER "file");
	make_file(FOLDER "file", "hello\n", 6, 0755);
	run_path("text", FOLDER "file");
}

static void
busy(void)
{
	int fd = open(PROG, O_RDWR);
	pid_t pid;

	run_path("open for writing", PROG);
	close(fd);
	run_path("no longer", PROG);
	pid = fork();
	if (pid == 0) {
		execl(PROG, PROG, "wait", NULL);
		_exit(1);
	}
	usleep(200000);
	printf("of one that runs: ");
	errno = 0;
	fd = open(PROG, O_WRONLY);
	printf("write %d ", errno);
	errno = 0;
	open(PROG, O_RDONLY | O_TRUNC);
	printf("truncating open %d ", errno);
	errno = 0;
	truncate(PROG, 5);
	printf("truncate %d\n", errno);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = 0;
	close(open(PROG, O_WRONLY));
	printf("afterwards %d\n", errno);
}

/* --- execveat --------------------------------------------------------------------------------- */

static void
at(void)
{
	int dir = open(FOLDER, O_RDONLY | O_DIRECTORY), fd = open(PROG, O_RDONLY), script;

	make_file(FOLDER "script", "#!" PROG " x\n", strlen(PROG) + 5, 0755);
	script = open(FOLDER "script", O_RDONLY);
	fcntl(dir, F_SETFD, 0);
	run("from a folder", dir, "show", two_args, no_env, 0);
	run("from a folder, absolute", dir, PROG, two_args, no_env, AT_EMPTY_PATH);
	run("a script from a folder", dir, "script", two_args, no_env, 0);
	run("the file itself", fd, "", two_args, no_env, AT_EMPTY_PATH);
	run("no empty path", fd, "", two_args, no_env, AT_SYMLINK_NOFOLLOW);
	run("a script itself", script, "", two_args, no_env, AT_EMPTY_PATH);
	fcntl(script, F_SETFD, FD_CLOEXEC);
	run("a script that is closed", script, "", two_args, no_env, AT_EMPTY_PATH);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	run("a file that is closed", fd, "", two_args, no_env, AT_EMPTY_PATH);
	run("from a file", fd, "show", two_args, no_env, 0);
	run("the folder itself", dir, "", two_args, no_env, AT_EMPTY_PATH);
	run("the working directory itself", AT_FDCWD, "", two_args, no_env, AT_EMPTY_PATH);
	run("no descriptor", 99, "show", two_args, no_env, 0);
	run("no descriptor needed", 99, PROG, two_args, no_env, AT_EMPTY_PATH);
	run("bad flags", dir, "show", two_args, no_env, 1);
	run("a link not followed", AT_FDCWD, "/proc/self/exe", two_args, no_env,
	    AT_SYMLINK_NOFOLLOW);
	close(dir);
	close(fd);
	close(script);
}

/* --- interpreters ----------------------------------------------------------------------------- */

/* A program that asks for an interpreter, and what that is. */
static void
interpreter(const char *what, const char *name, size_t len, size_t said)
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		char name[200];
	} file = {
	    .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		   .e_type = ET_DYN,
		   .e_machine = EM_X86_64,
		   .e_version = EV_CURRENT,
		   .e_phoff = sizeof(Elf64_Ehdr),
		   .e_ehsize = sizeof(Elf64_Ehdr),
		   .e_phentsize = sizeof(Elf64_Phdr),
		   .e_phnum = 2},
	    .ph = {{.p_type = PT_INTERP, .p_filesz = said},
		   {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_align = 4096}},
	};

	memcpy(file.name, name, len);
	file.ph[0].p_offset = (char *)file.name - (char *)&file;
	file.ph[1].p_filesz = file.ph[1].p_memsz = sizeof(file);
	make_file(FOLDER "dynamic", &file, sizeof(file), 0755);
	run_path(what, FOLDER "dynamic");
}
#define INTERP(what, name) interpreter(what, name, sizeof(name), sizeof(name))

static void
interpreters(void)
{
	static Elf64_Ehdr eh = {
	    .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	    .e_type = ET_DYN,
	    .e_machine = EM_AARCH64,
	    .e_phoff = sizeof(Elf64_Ehdr),
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_phnum = 1};

	INTERP("no such interpreter", "/no/such/file");
	INTERP("a folder", "/tmp");
	INTERP("a script", FOLDER "script");
	INTERP("not executable", FOLDER "plain");
	make_file(FOLDER "ld", "\177ELF", 4, 0755);
	INTERP("a short one", FOLDER "ld");
	memset(big, 'x', 100);
	make_file(FOLDER "ld", big, 100, 0755);
	INTERP("no program", FOLDER "ld");
	make_file(FOLDER "ld", &eh, sizeof(eh), 0755);
	INTERP("for another machine", FOLDER "ld");
	eh.e_machine = EM_X86_64;
	make_file(FOLDER "ld", &eh, sizeof(eh), 0755);
	INTERP("without headers", FOLDER "ld");
	interpreter("a name without end", "/bin/xx", 7, 7);
	interpreter("a short name", "/", 1, 1);
	interpreter("a long name", "/", 1, 4097);
	interpreter("a name past the end", "/", 1, 4096);
	INTERP("a static program for interpreter", PROG);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		pause();
	if (argc > 1 || strncmp((char *)getauxval(AT_EXECFN), FOLDER, strlen(FOLDER)) == 0)
		return (show(argc, argv));
	setvbuf(stdout, NULL, _IOFBF, 4096);
	mkdir(FOLDER, 0755);
	chdir(FOLDER);
	copy_self();
	scripts();
	arguments();
	busy();
	at();
	interpreters();
	return (0);
}
