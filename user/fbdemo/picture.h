/*
 * The picture that both halves of the demo show: a piece of the Mandelbrot set.
 */
#pragma once

#include "lib/canvas.h"

/* Compute it into r of the canvas. */
void picture_draw(struct canvas *c, struct rect r);
