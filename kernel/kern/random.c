/*
 * Random bytes: ChaCha20 (RFC 8439) keyed from a pool. Each request takes one block: half of it
 * becomes the pool's next key, so that what was given out cannot be found from the pool later, and
 * half the key of the stream that answers the request, which then needs no lock.
 */
#include "kern/random.h"
#include "kern/lock.h"
#include "kern/machdep.h"
#include "kern/string.h"

#define KEY_WORDS 8

static struct mtx random_lock = MTX_INITIALIZER("random", LR_LEAF);
static uint32_t pool[KEY_WORDS]; /* random_lock */

static inline uint32_t
rotl(uint32_t v, int n)
{
	return (v << n | v >> (32 - n));
}

static inline void
quarter_round(uint32_t x[16], int a, int b, int c, int d)
{
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 16);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 12);
	x[a] += x[b], x[d] = rotl(x[d] ^ x[a], 8);
	x[c] += x[d], x[b] = rotl(x[b] ^ x[c], 7);
}

static void
chacha20_block(const uint32_t key[KEY_WORDS], uint64_t counter, uint32_t out[16])
{
	uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

	memcpy(in + 4, key, KEY_WORDS * sizeof(*key));
	in[12] = (uint32_t)counter;
	in[13] = (uint32_t)(counter >> 32);
	memcpy(out, in, sizeof(in));
	for (int i = 0; i < 10; i++) {
		for (int j = 0; j < 4; j++)
			quarter_round(out, j, j + 4, j + 8, j + 12);
		for (int j = 0; j < 4; j++)
			quarter_round(out, j, 4 + (j + 1) % 4, 8 + (j + 2) % 4, 12 + (j + 3) % 4);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}

/* The pool's next key, and a key of its own for the caller (or NULL). */
static void
pool_step(uint32_t key[KEY_WORDS])
{
	uint32_t block[16];

	chacha20_block(pool, 0, block);
	memcpy(pool, block, sizeof(pool));
	if (key != NULL)
		memcpy(key, block + KEY_WORDS, sizeof(pool));
}

void
random_stir(const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t now = cpu_now();

	mtx_lock(&random_lock);
	pool[0] ^= (uint32_t)now;
	pool[1] ^= (uint32_t)(now >> 32);
	for (size_t i = 0; i < len; i++) {
		((uint8_t *)pool)[i % sizeof(pool)] ^= p[i];
		if (i % sizeof(pool) == sizeof(pool) - 1)
			pool_step(NULL);
	}
	pool_step(NULL);
	mtx_unlock(&random_lock);
}

void
random_init(void)
{
	uint8_t seed[sizeof(pool)];

	random_stir(seed, cpu_random(seed, sizeof(seed)) ? sizeof(seed) : 0);
}

void
random_bytes(void *buf, size_t len)
{
	uint32_t key[KEY_WORDS], block[16];
	uint8_t *p = buf;

	mtx_lock(&random_lock);
	pool_step(key);
	mtx_unlock(&random_lock);
	for (uint64_t counter = 0; len != 0; counter++) {
		size_t n = MIN(len, sizeof(block));

		chacha20_block(key, counter, block);
		memcpy(p, block, n);
		p += n;
		len -= n;
	}
}
