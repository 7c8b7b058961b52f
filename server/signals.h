/* The signals that end the daemon: TERM and INT. */
#ifndef SERVER_SIGNALS_H
#define SERVER_SIGNALS_H

/* From now on the first of them is kept for signals_wait(), and one more ends the process at once.
 */
void signals_catch(void);
/* Waits for the first. */
void signals_wait(void);

#endif
