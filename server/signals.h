/* The signals that end the daemon: TERM and INT. */
#ifndef SERVER_SIGNALS_H
#define SERVER_SIGNALS_H

/* Before the first thread is made: they inherit the mask. */
void signals_block(void);
/* Waits for one of them; its number. */
int signals_wait(void);
/* From now on one more of them ends the process at once. */
void signals_release(void);

#endif
