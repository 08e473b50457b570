//! The rare paths, and how often the seeds came by: a search that never visits them shows nothing.

macro_rules! rare {
    ($($name:ident),* $(,)?) => {
        /// Something that has to happen sometimes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Rare { $($name),* }

        /// All of them, in order.
        pub(crate) const ALL: &[Rare] = &[$(Rare::$name),*];
    };
}

rare! {
    // Owners
    CrashBeforeAppend, CrashAfterAppend, CrashWithOutwardUnderWay, LandsAfterItsOwnerDied, TakenOver, StaleAppendRefused,
    StaleOwnerTooLate, OwnerTooLate, TooLateByUptimeAlone, ClockJumpsForward, ClockJumpsBack, ParkedAndWoken,
    // Attempts
    AgentPanics, DiesBesideOthers, AgentHangs, AgentRestarted, PoisonQuarantined, IntensityPauses, OutcomeTwice, OutcomeLate,
    ModelRetriedToTheEnd, ToolRetriedToTheEnd, ThrottledWaits, LostCallPaidAtMaximum, OverReported,
    // Answers
    AnswerRefused, AnswersRefusedToTheEnd, ForbiddenCallTold, ForbiddenCallsEndTurn, ToolRefusesModel, ParallelCalls,
    RuleHolds, RuleElse, TeammateAsked, TeammatesAtOnce, TeammateAnswers, QuestionDies, AnswerForNobody, AskedWhileBusy,
    // Models
    AllSwitch, RefusedSwitches, SwitchedTwice, ContextCut, CutWithMemory, PermanentAfterCut, LongerReply,
    TruncatedTwice,
    // Outward
    DoubtRepeatedPure, DoubtRepeatedWithKey, DoubtKeyTooOld, DoubtQueryPerformed, DoubtQueryNotPerformed,
    DoubtAnswerHappened, DoubtAnswerNot, SinkDeduplicates, SlotFreedAndUsed, ChunkFull, EmptyManifest, NoPermit, PermitTooOld,
    SinkRefuses, QueryFails, FailsAfterDoubt, DoubtForPerson, OutwardWhilePaused, GoesOnBesideQuestion,
    // Days
    WaitsForItsDay, LeavesOnItsDay, TakenUpBeforeItsDay, DayComesWhilePaused, CancelledBeforeItsDay, DayBesideQuestion,
    // People
    DecidedWithWrongDigest, DecidedByStranger, DecidedByStarter, DecidedTwice, DecidedWhatWasReplaced, DecidedAfterEnd,
    DecidedByUndeclared, ApprovedTwiceByOne, SecondOfTwoApproves, EditReplaces, EditFaulty, EditNotTheirs, PostedTwice, Expired, Overdue,
    RoundsUsedUp, Rejected, PersonAnswers, PersonAnswersTeammate, NobodyAnswersTeammate, Reminded, Escalated,
    AnsweredTwice, AnswerForDecision, DecisionForAnswer, AnswerFaulty, RowUnreadable, LaterNo, WriterAskedAnew, WrittenAnew, AskedAnewInVain,
    EditRefused, ResultsAfterEnd, ResultsOfRehearsal,
    // Comments
    CommentBlocks, CommentFollowsDraft, CommentReplied, ResolvedByAuthor, ResolvedByApprover, BlockedByComment, ResolvedByStranger,
    ResolvedTwice, CommentOnOldVersion, NoteLeft, NoteRead, NoteToNobody, LookedAt, TakenOn, HandedOn, GivenBack, HandedToStranger,
    // Limits and control
    PausedBySteps, PausedByTokens, PausedByCost, PausedByActiveTime, PausedByRecipients, PausedByTurns,
    PausedByStepsPerTurn, PausedByPerson, Raised, RaiseTooLow, CancelledWithOutward, DeadLetterRetried,
    DeadLetterDiscarded, DeadLetterStops, StepsAsBilled, TurnsAsBilled, AskedAsBilled,
    // Branches
    SplitOverNothing, SplitWithinSplit, SplitAgain, Joins, JoinsEarly, JoinsShort, FallsShort, CalledOff, CalledOffWithCall,
    CalledOffWithApproval, CalledOffWithDeadLetter, ArrivedBeforeCrash, DeadLetterInBranch, TwiceAtOnce, EndsWithBranch,
    // Sections
    SectionWritten, SectionAnew, WholeAfterSections, SectionsJoin, SectionsApproved, SectionAskedAnew,
    // Teams within
    PausedByTeam,
    // Ends
    EndsDone, EndsRejected, EndsFailed, EndsCancelled, EndsStopped,
}

/// Counts of all rare things.
#[derive(Debug, Clone)]
pub(crate) struct Sometimes(Vec<u64>);

impl Default for Sometimes {
    fn default() -> Self {
        Self(vec![0; ALL.len()])
    }
}

impl Sometimes {
    pub(crate) fn see(&mut self, rare: Rare) {
        self.0[rare as usize] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(own, other)| *own += other);
    }

    /// What never happened.
    pub(crate) fn never(&self) -> Vec<Rare> {
        ALL.iter().copied().filter(|rare| self.0[*rare as usize] == 0).collect()
    }

    /// One line each.
    pub(crate) fn table(&self) -> String {
        ALL.iter().map(|rare| format!("{:>10}  {rare:?}\n", self.0[*rare as usize])).collect()
    }
}
