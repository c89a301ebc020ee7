package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// instances says where each thing that once went wrong with people's files, or that
// shoal once said without being true, is tested. A test is PACKAGE.NAME, a script of
// cmd/shoal is script.NAME. Whoever moves a test moves its line.
var instances = []struct{ about, tests string }{
	// 1. What the user had is never destroyed.
	{"a .part of a browser or of yt-dlp was written over", "share/storage.TestPartOfAnotherProgram"},
	{"remove --data deleted photos beside a missing neighbour that shares a piece", "share/storage.TestPhotosBesideMissingNeighbours"},
	{"remove --data deleted what was there, half right or with one byte different", "share/storage.TestRemoveSparesWhatWasThere share/storage.TestRemoverDeletesOnlyWhatTheTransferMade"},
	{"a get wrote over a file of the same size with the user's edits", "share/storage.TestStrangerOfTheSameSizeIsNotOverwritten script.beside"},
	{"a file that appears during a fetch was replaced", "share/storage.TestFileThatAppearsIsNotReplaced"},
	{"--adopt completes the user's file in place, which is then never deleted", "share/storage.TestAdoptedAfterHashing script.beside"},
	{"what the user makes is never changed or deleted, whatever happens in between", "share/storage.TestRandomHistories"},
	{"files are only read: nothing that is shared is written, renamed or chmodded", "share/storage.TestOwnIsServedAndNeverWritten share/metainfo.TestMakeChangesNothing"},
	{"an upgrade forgot whose files are whose", "share/storage.TestUpgradeKnowsWhoseFilesAre cmd/internal/node.TestRecoverKnowsWhoseFilesAre"},
	{"--state that is somebody else's folder was chmodded", "cmd/internal/node.TestForeignFolder"},
	{"without HOME the state landed in /.local", "cmd/internal/node.TestNoHome"},

	// 2. What is called complete is complete.
	{"get again after the file was deleted, moved or truncated printed its path", "share/engine.TestWhatIsMissingIsFetchedAgainWhenAskedFor script.over"},
	{"get again after the file was edited printed its path", "share/engine.TestAnEditedFileStaysAndTheRightOneArrivesBeside script.edited"},
	{"a second --output was ignored", "share/engine.TestFetchAgainElsewhere script.over"},
	{"what verify found was 100 % again in the next list", "share/engine.TestWhatVerifyFoundIsListedAfterARestart share/storage.TestWhatVerifyFoundStaysAcrossRestarts"},
	{"verify called 0 bytes of an edited download correct, and list called it complete", "share/engine.TestVerifyOfWhatIsNotSeeded cmd/shoal.TestVerifyTellsWhatWasLostBefore"},
	{"files gone or changed under a daemon were seeding 100 %", "share/engine.TestFilesGoneAtRestAreNoticed"},
	{"chmod, hard links and restores were errors", "share/engine.TestChmodIsNoDamage share/storage.TestWhatOnlyRestampsAFileIsServedOnceHashed"},
	{"an upgrade hashed 10,000 shares", "share/storage.TestOldRecordsAdoptWhatIsOlder"},
	{"a mount that hangs blocked list", "share/engine.TestAMountThatHangsIsShown share/engine.TestFewWaitForOneMount"},
	{"a second selection was dropped", "share/engine.TestFetchAgainSelectsMore script.over"},
	{"a pattern that matches nothing was no error", "share/engine.TestPatternsThatMatchNothing script.over"},
	{"a selection could not be changed later", "cmd/shoal.TestSelectionChanges script.selection"},
	{"trackers, web seeds and addresses of a later get were dropped", "share/engine.TestFetchAgainAddsTrackers"},
	{"a region of a part file that another program changed was delivered", "share/storage.TestRegionOfAPartFileChangedByOthers share/storage.TestNoWrongByteOfAFetchIsServed"},
	{"a part file that was changed before its rename was delivered", "share/storage.TestPartFileChangedBeforeItsRename"},
	{"a share changed in place, its mtime put back, was served wrong", "share/storage.TestInPlaceChangeWithItsTimePutBackIsNotServed share/storage.TestNoWrongByteOfAShareIsServed cmd/e2e.TestChangedFileIsNotSent"},
	{"trackers were told false figures", "share/engine.TestTrackersAreToldTheTruth share/engine/internal/tracker.TestFiguresOfTheSession"},
	{"trackers were not told of a download that ended and was not seeded", "share/engine/internal/tracker.TestCompletedBeforeStopped"},

	// 3. What is over is over.
	{"a share that ended was shared again by the next command", "share/engine.TestShareEndsWithItsCommand script.over"},
	{"a paused share was still sent to a browser that was in the middle of it", "cmd/internal/node.TestAPauseEndsDownloadsFromWebLinks"},
	{"... also after SIGHUP and kill -9", "share/engine.TestShareEndsWithItsProcess webui/api.TestLeaseEndsWithTheProcess script.over"},
	{"with two shells the node of the other kept it", "script.over"},
	{"with a daemon, a share cancelled while it was hashed finished and seeded", "share/engine.TestCancelledHashIsCancelled script.cancelled_hash"},
	{"sharing unchanged files again read all of them", "share/engine.TestSharingAgainReadsNothing share/engine.TestShelfIsBounded"},
	{"what is over comes back in some order of requests, restarts and kills", "cmd/internal/node.TestWhatIsOverIsOver"},
	{"a get that is done seeded later, unasked", "share/engine.TestCompleteFetchEndsWithItsCommand"},
	{"an interrupted get went on unasked", "share/engine.TestInterruptedFetchRests script.over"},
	{"verbs that only read listened and seeded", "cmd/internal/node.TestLookingNeitherListensNorSeeds cmd/shoal.TestReadingVerbsOnlyRead cmd/shoal.TestEveryVerbHasAUse"},
	{"a share that cannot be was a row that was tried for ever", "share/engine.TestShareThatCannotBeFailsOnce share/engine.TestShareOfWhatCannotBeShared script.over"},
	{"one unreadable or non-UTF-8 name refused a folder", "share/metainfo.TestMakeLeavesOut share/metainfo.TestMakeClosed"},
	{"the state directory, exported keys or a home were shared", "cmd/internal/node.TestStateDirectoryIsNotShared cmd/internal/node.TestKeysAreNotShared cmd/internal/node.TestHomeIsSharedOnlyWhenConfirmed"},

	// 4. A damaged or strange state is never a crash and never silence.
	{"any failure to open state.db was a nil dereference", "cmd/internal/node.TestDamageOfAnyKind cmd/internal/node.TestDamagedState cmd/internal/node.TestUnreadableState"},
	{"a damaged journal", "cmd/internal/node.TestDamagedJournal"},
	{"a state of a later schema", "cmd/internal/node.TestNewerState share/engine.TestLaterSchemaIsRefused"},
	{"a full disk at the start", "cmd/internal/node.TestFullDisk"},
	{"shoal recover, also without notes, twice, and beside a running node", "cmd/internal/node.TestRecoverAfterABreak cmd/internal/node.TestRecoverWithoutNotes cmd/internal/node.TestRecoverWhileANodeRuns"},
	{"an emptied channel key and damaged credentials were not told", "cmd/internal/node.TestTroublesAreTold webui.TestDamagedCredentials"},
	{"an fsync that was retried after a failure was believed", "share/storage.TestAFailedSyncIsNotBelievedWhenRetried"},
	{"tainted pieces were not dropped", "share/storage.TestWhatAFailedSyncLeftInDoubtIsDropped"},
	{"a state that is not synced", "cmd/internal/node.TestTheStateReachesTheDisk"},
	{"the server did not end sign-ins", "webui.TestSignInsExpire"},

	// 5. A stranger cannot keep others out, nor use us against a third.
	{"idle connections left no outgoing dial", "share/engine/internal/admission.TestIdleConnectionsLeaveRoomForOwnCalls cmd/e2e.TestStrangersKeepNobodyOut"},
	{"mute sockets refused honest handshakes", "share/engine/internal/admission.TestMuteSocketsLeaveRoomForHandshakes cmd/e2e.TestStrangersKeepNobodyOut"},
	{"caps per network bound while there was room; bans covered too much", "share/engine/internal/admission.TestNetworksAreNotLimitedWhileThereIsRoom share/engine/internal/admission.TestBans share/engine/internal/admission.TestOldBansAreForgottenFirst"},
	{"the hole puncher sent SYNs to an uninvolved host", "share/engine/internal/swarm/punch.TestAnUninvolvedHostIsHardlyCalled share/engine/internal/swarm/punch.TestIntroductionsOfOthersAreFew share/engine/internal/swarm/punch.TestRefusedCallsCount"},
	{"idle connections to the page ended all descriptors", "webui.TestIdleConnectionsToThePage webui.TestOneNetworkDoesNotFillThePage cmd/internal/node.TestDescriptorsAreDivided"},
	{"wrong bearers and passwords locked the owner out", "webui.TestWrongTokensLockNobodyOut webui.TestWrongPasswordsFromElsewhere"},

	// 6. Links and torrents as people really have them.
	{"a link that the shell cut at &", "cmd/shoal.TestGetTellsOfALinkThatWasCut"},
	{"&amp;, a stray %, broken lines, <>, a second xt, x.pe without brackets", "share.TestLinkVectors cmd/shoal.TestSourceOfPastedLinks"},
	{"a link or torrent of v2 alone", "share/metainfo.TestV2 share.TestLinkVectors"},
	{"a .torrent URL that redirects to a magnet, a body that is one, gzip, a sign-in page", "cmd/internal/node.TestDownload"},
	{"--timeout did not bound the download of a .torrent", "cmd/shoal.TestTimeoutBoundsTheDownload"},
	{"names that are ordinary on Linux arrived changed", "share/metainfo.TestNamesStayAsTheyAre share/storage.TestOddNamesAreKeptAndFound script.names"},
	{"names that the file system cannot hold", "share/storage.TestFileSystemsOfWindowsGetTheirNames share/storage.TestPlaceAsksTheDisk"},
	{"which names were changed was not said", "cmd/shoal.TestGetTellsWhichNamesWereChanged script.names"},
	{"a web seed that answers 503, or breaks off", "share/engine/internal/swarm/webseed.TestServers share/engine/internal/swarm/native.TestAWebSeedIsAskedAgain"},
	{"nobody was found, without a word of what seeds and trackers said", "cmd/shoal.TestNobodyNamesWhatWasSaid"},

	// 7. Smaller things of the same kinds.
	{"no warning before a fetch that cannot fit", "cmd/shoal.TestGetWarnsBeforeWhatCannotFit cmd/internal/node.TestRoomCountsWhatIsMissing script.no_room"},
	{"a limit of one direction was lost with the other", "cmd/internal/policy.TestLimitsOfTheTwoDirectionsChangeApart"},
	{"part files of a removed transfer were not named, and not used later", "share/storage.TestRemoverLeavesWhatIsUnfinished share/storage.TestALaterTransferGoesOnWithWhatWasLeft"},
	{"a selection left a part file of a neighbour", "share/storage.TestASelectionLeavesNoPartOfANeighbour"},
	{"list --state TYPO made a state", "cmd/internal/node.TestLookingMakesNothing"},
	{"a link carried [::1] beside other addresses", "cmd/internal/node.TestLoopbackInLinks"},
	{"rates that were never on the line", "share/engine.TestFiguresOfBothEnds share/engine/internal/swarm.TestOnlyWhatLeftCounts"},
	{"the API answered 500 where 404 and 400 were right", "webui/api.TestBrowsing"},
	{"an empty .torrent was no refused torrent", "cmd/shoal.TestSourceOfPastedLinks"},
	{"examples of the guide that hang", "cmd/e2e.TestGuide cmd/shoal.TestPagesNameVerbsAndFlagsThatThereAre"},

	// 8. What others publish never decides over what the user has.
	{"a followed channel captured what the user fetches or shares", "share/engine.TestChannelAndUserShareAnID cmd/internal/node.TestChannelsLeaveOtherContentAlone"},
	{"a catalogue was fetched whatever it is", "share/engine.TestOnlyAListIsFetchedForAChannel cmd/internal/node.TestListsBelongToTheirChannels"},
	{"--mirror made followers flood others", "index/channel.TestAMirrorDoesNotFlood share/engine/internal/admission.TestCallsToOneNetworkAreFew"},
	{"nodes of one /48 changed the ID of a DHT node", "index/dht/internal/core.TestVotesOfOneSiteAndAgainstAnOwnAddress"},
	{"removals that met additions were never answered", "cmd/internal/node.TestConcurrentRequests"},
	{"doctor took a host that this node had called for a stranger", "index/dht/internal/core.TestAHostThatWasCalledIsNoStranger share/reach.TestOnlyStrangersProve"},
	{"a PCP lease did not show its true state", "share/reach.TestALeaseShowsItsTrueState"},
	{"verify of a share that is hashed", "cmd/internal/node.TestVerifyingWhatIsBeingHashed webui/api.TestBusyIsAConflict"},
	{"a SYN flood over uTP was answered with more than it sent", "share/utp.TestSynFloodIsAnsweredWithLess"},
}

// Each instance has a test that there is.
func TestEveryInstanceHasItsTest(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	declared := map[string]string{} // what the test files of a folder declare
	for _, i := range instances {
		for _, test := range strings.Fields(i.tests) {
			dot := strings.LastIndex(test, ".")
			if dot < 0 {
				t.Fatalf("%q is not PACKAGE.NAME", test)
			}
			where, name := test[:dot], test[dot+1:]
			if where == "script" {
				if _, err := os.Stat(filepath.Join(root, "cmd", "shoal", "testdata", "script", name+".txtar")); err != nil {
					t.Errorf("%s: %v", i.about, err)
				}
				continue
			}
			if declared[where] == "" {
				declared[where] = testFiles(t, filepath.Join(root, filepath.FromSlash(where)))
			}
			if !regexp.MustCompile(`(?m)^func ` + name + `\(`).MatchString(declared[where]) {
				t.Errorf("%s: there is no %s", i.about, test)
			}
		}
	}
}

// testFiles is the text of the test files of a folder.
func testFiles(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String() + "\n"
}
