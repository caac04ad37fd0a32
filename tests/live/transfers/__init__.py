"""The transfer matrix: whatever happens to a call, who must be audible is, and who must not is not.

scenario   what a scenario is: parties with their policies, and steps
steps      what people and Asterisk do: dial, answer, transfer, park, press
stage      one scenario on a running house: its telephones, numbers and channels
cases      the scenarios themselves, by kind of call
play       a house for many scenarios, and several of them at once
truth      who heard whom, frame by frame, from what the telephones got
evidence   what was left behind: files, CDR rows, our tables
verdict    the files held against that truth
linkage    the CDR rows held against the audio that they lead to
report     the dated tables in docs
"""
