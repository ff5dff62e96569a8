"""What people read of a delivery that did not simply arrive."""

NOT_KEPT = (
    "it ended as {state}, but the answer holds what cannot be stored ({why}): look at the other side, then withdraw it"
    " if it is there, else release it"
)
AWAY = "the database went away while it was taken up"
ABSENT = "asked whether it has arrived: it has not"
NOT_YET = "asked whether it has arrived: not yet; asked again when it cannot be under way any more"
NOT_FOUND_OUT = "it may have arrived; the other side refuses to say, and the declaration says never to send it twice"
UNCLEAR = "the worker that had it was lost; it may have arrived, and the declaration says never to send it twice"
UNKEPT = "it holds what the journal cannot keep ({why}), and what is in no journal does not leave"
