package main

// verbs is the command table, in the order of the help.
func verbs() []*verb {
	all := []*verb{
		shareVerb(),
		getVerb(),
		receiveVerb(),
		importVerb(),
		listVerb(),
		showVerb(),
		filesVerb(),
		peersVerb(),
		linkVerb(),
		doctorVerb(),
		searchVerb(),
		channelVerb(),
		pauseVerb(),
		resumeVerb(),
		verifyVerb(),
		removeVerb(),
		limitVerb(),
		daemonVerb(),
		healthVerb(),
		openVerb(),
		configVerb(),
		recoverVerb(),
		completionVerb(),
		completeVerb(verbs),
		versionVerb(),
		helpVerb(verbs),
	}
	for _, v := range all {
		v.flags = append(v.flags, everywhere()...)
	}
	return all
}
