/*
 * "#!" scripts: the rest of a file's first line names the program that is to read it, and perhaps
 * one argument, which may have spaces in it. The rules are those of Linux (execve(2), NOTES).
 */
#include "kern/exec.h"
#include "kern/errno.h"
#include "kern/string.h"
#include "fs/vnode.h"

static bool
is_blank(char c)
{
	return (c == ' ' || c == '\t');
}

static char *
skip_blanks(char *s)
{
	while (is_blank(*s))
		s++;
	return (s);
}

/* To the end of the word. */
static char *
skip_word(char *s)
{
	while (*s != '\0' && !is_blank(*s))
		s++;
	return (s);
}

bool
exec_is_script(const struct image_params *imgp)
{
	return (imgp->ip_head[0] == '#' && imgp->ip_head[1] == '!');
}

/*
 * The interpreter's name and its argument (NULL: none), strings in ip_head. A line that does not
 * end there is cut, which may be in its argument but not in the name; of a cut line the last byte
 * is not used, as on Linux.
 */
static int
parse_line(struct image_params *imgp, char **name, char **arg)
{
	char *line = imgp->ip_head + 2, *end = strchr(line, '\n');
	bool cut = end == NULL && strlen(line) == EXEC_HEAD - 2;

	if (end == NULL)
		end = line + strlen(line);
	*end = '\0';
	*name = skip_blanks(line);
	*arg = skip_word(*name);
	if (**name == '\0' || (cut && **arg == '\0'))
		return (ENOEXEC);
	if (cut)
		*--end = '\0';
	while (is_blank(end[-1])) /* stops at the name */
		*--end = '\0';
	if (**arg == '\0') {
		*arg = NULL;
		return (0);
	}
	*(*arg)++ = '\0';
	*arg = skip_blanks(*arg);
	return (0);
}

int
exec_script(struct image_params *imgp)
{
	const char *front[3];
	char *name, *arg;
	struct vnode *vp;
	int n = 0, error = parse_line(imgp, &name, &arg);

	if (error == 0 && !imgp->ip_reachable)
		error = ENOENT;
	if (error != 0)
		return (error);
	front[n++] = name;
	if (arg != NULL)
		front[n++] = arg;
	front[n++] = imgp->ip_script[0] != '\0' ? imgp->ip_script : imgp->ip_path;
	error = exec_args_replace_first(imgp->ip_args, front, n);
	if (error == 0)
		error = exec_open(NULL, name, true, &vp);
	if (error != 0)
		return (error);
	strlcpy(imgp->ip_script, name, sizeof(imgp->ip_script));
	vn_text_drop(imgp->ip_vp);
	imgp->ip_vp = vp;
	return (0);
}
