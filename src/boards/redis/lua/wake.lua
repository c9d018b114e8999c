-- The pulse.
return beat()
