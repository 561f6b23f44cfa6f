//! The rules by name, and where each stands in the spec.

use std::fmt;

use crate::version::RoomVersion;

/// A rule that can refuse an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `type` or `state_key` is over 255 bytes (room versions 1 to 10; from 11 on it is malformed).
    Oversized,
    /// An event other than the create event follows nothing.
    NoPrevEvents,
    /// The create event follows something.
    CreatePrevEvents,
    /// The create event's sender is of another server than its room id.
    CreateRoomIdDomain,
    /// The create event of version 12 has a room id.
    CreateRoomId,
    /// The create event makes a room of another or an unknown version.
    CreateRoomVersion,
    /// The create event names no creator.
    CreateCreator,
    /// The additional creators are no list of user ids.
    CreateAdditionalCreators,
    /// The room has another create event already.
    CreateSecond,
    /// The room id is not that of an accepted create event.
    RoomIdUnknown,
    /// Two auth events are of the same type and state key.
    AuthDuplicate,
    /// An auth event has no bearing on this event.
    AuthNotSelected,
    /// An auth event was rejected.
    AuthRejected,
    /// No create event, among the auth events or in the state.
    NoCreate,
    /// An auth event is of another room.
    AuthOtherRoom,
    /// The room does not federate, and the sender (or the target of a membership) is of another server.
    NotFederated,
    /// Aliases without a state key.
    AliasesStateKey,
    /// Aliases of another server than the sender's.
    AliasesDomain,
    /// A membership without a state key that is a user id.
    MemberStateKey,
    /// A membership event without `membership`.
    MemberMembership,
    /// A join for somebody else.
    JoinOther,
    /// A join of a banned user.
    JoinBanned,
    /// A join that the join rule does not allow.
    JoinRule,
    /// A restricted join whose authoriser is not joined or may not invite.
    JoinAuthoriser,
    /// A third-party invite of a banned user.
    ThirdPartyBanned,
    /// A third-party invite without `signed`.
    ThirdPartySigned,
    /// A third-party invite whose `signed` has no `mxid` or no `token`.
    ThirdPartyFields,
    /// A third-party invite for another user.
    ThirdPartyUser,
    /// A third-party invite whose token is not in the state.
    ThirdPartyToken,
    /// A third-party invite by another sender than the token's.
    ThirdPartySender,
    /// A third-party invite that no key of the token has signed.
    ThirdPartySignature,
    /// An invite by someone who is not joined.
    InviteSender,
    /// An invite of someone who is joined or banned.
    InviteTarget,
    /// An invite by someone without the power to invite.
    InvitePower,
    /// Leaving without being invited, joined or knocking.
    LeaveNotIn,
    /// A kick or unban by someone who is not joined.
    KickSender,
    /// An unban by someone without the power to ban.
    UnbanPower,
    /// A kick by someone without the power to kick, or of someone as powerful.
    KickPower,
    /// A ban by someone who is not joined.
    BanSender,
    /// A ban by someone without the power to ban, or of someone as powerful.
    BanPower,
    /// A knock that the join rule does not allow.
    KnockJoinRule,
    /// A knock for somebody else.
    KnockOther,
    /// A knock of someone who is banned, invited or joined.
    KnockMembership,
    /// A membership that this room version does not know.
    MembershipUnknown,
    /// The sender is not joined.
    SenderNotJoined,
    /// A third-party invite token by someone without the power to invite.
    TokenPower,
    /// The sender has less power than the event type requires.
    RequiredPower,
    /// The state key is another user's id.
    StateKeyUser,
    /// A level is no integer (before version 10: nor a string of one).
    LevelType,
    /// `events` or `notifications` is no object of levels.
    LevelMap,
    /// `users` is no object of user ids and levels.
    LevelUsers,
    /// `users` names a creator.
    LevelCreators,
    /// One of the single levels is changed from or to more than the sender has.
    LevelChange,
    /// A level of `events` or `notifications` above the sender's is changed or removed.
    LevelEntryOld,
    /// A level of `events` or `notifications` is set above the sender's.
    LevelEntryNew,
    /// The level of a user as powerful as the sender is changed or removed.
    LevelUserOld,
    /// A user's level is set above the sender's.
    LevelUserNew,
    /// The power levels in the state are malformed, so nobody's power is known.
    StateLevels,
    /// A redaction by someone without the power, of an event of another server.
    Redaction,
}

/// A rule's place: which of the numbered lists of `rooms §Authorisation rules` it is in.
#[derive(Clone, Copy)]
enum Place {
    /// The rules about `m.room.create`.
    Create(&'static str),
    /// The rules about `auth_events`, which version 12 puts one further down.
    AuthEvents(&'static str),
    /// The rules about `m.room.member`: where in the list of memberships, and what follows.
    Member(Section, &'static str),
    /// A rule after the memberships, by its number in version 12, and what follows.
    After(u8, &'static str),
    /// Within the rule about `m.room.power_levels`, by its number in versions up to 9 and from 10 on.
    Levels(u8, u8, &'static str),
    /// Not numbered.
    Elsewhere(&'static str),
}

#[derive(Clone, Copy)]
enum Section {
    Top,
    Join,
    Invite,
    Leave,
    Ban,
    Knock,
    Unknown,
}

impl Rule {
    /// Where the rule stands in `rooms/v… §Authorisation rules` of a room version, numbered as rendered there.
    #[must_use]
    pub fn section(self, version: RoomVersion) -> String {
        match self.place(version) {
            Place::Create(tail) => format!("1{tail}"),
            Place::AuthEvents(tail) => format!("{}{tail}", if version >= RoomVersion::V12 { 3 } else { 2 }),
            Place::Member(section, tail) => {
                format!("{}{}{tail}", member_number(version), section.number(version))
            }
            Place::After(number, tail) => format!("{}{tail}", number - shift(version)),
            Place::Levels(old, new, tail) => {
                let number = if version >= RoomVersion::V10 { new } else { old };
                let number = number + u8::from(version >= RoomVersion::V12 && new > 3);
                format!("{}.{number}{tail}", 10 - shift(version))
            }
            Place::Elsewhere(name) => name.to_owned(),
        }
    }

    fn place(self, version: RoomVersion) -> Place {
        use Place::{After, AuthEvents, Create, Elsewhere, Levels, Member};
        let v12 = version >= RoomVersion::V12;
        if let Some((section, tail)) = self.member_place(version) {
            return Member(section, tail);
        }
        match self {
            Self::NoPrevEvents => Elsewhere("Event format"),
            Self::CreatePrevEvents => Create(".1"),
            Self::CreateRoomIdDomain | Self::CreateRoomId => Create(".2"),
            Self::CreateRoomVersion => Create(".3"),
            Self::CreateCreator | Self::CreateAdditionalCreators => Create(".4"),
            Self::CreateSecond => Elsewhere("1, with another create event in the current state"),
            Self::RoomIdUnknown => Elsewhere("2"),
            Self::AuthDuplicate => AuthEvents(".1"),
            Self::AuthNotSelected => AuthEvents(".2"),
            Self::AuthRejected => AuthEvents(".3"),
            Self::NoCreate if v12 => Elsewhere("2"),
            Self::NoCreate => AuthEvents(".4"),
            Self::AuthOtherRoom => AuthEvents(if v12 { ".4" } else { ".5" }),
            Self::NotFederated => Elsewhere(if v12 { "4" } else { "3" }),
            Self::AliasesStateKey => Elsewhere("4.1"),
            Self::AliasesDomain => Elsewhere("4.2"),
            Self::SenderNotJoined => After(6, ""),
            Self::TokenPower => After(7, ".1"),
            Self::RequiredPower => After(8, ""),
            Self::StateKeyUser => After(9, ""),
            Self::LevelType => Levels(1, 1, ""),
            Self::LevelMap => Levels(1, 2, ""),
            Self::LevelUsers => Levels(1, 3, ""),
            Self::LevelCreators => Elsewhere("10.4"),
            Self::LevelChange => Levels(3, 5, ""),
            Self::LevelEntryOld => Levels(4, 6, ".1"),
            Self::LevelEntryNew => Levels(5, 7, ".1"),
            Self::LevelUserOld => Levels(6, 8, ".1"),
            Self::LevelUserNew => Levels(7, 9, ".1"),
            Self::StateLevels => Elsewhere("power levels in the state"),
            Self::Redaction => Elsewhere("11.3"),
            _ => Elsewhere("Size limits"),
        }
    }

    /// The place of a rule about memberships.
    fn member_place(self, version: RoomVersion) -> Option<(Section, &'static str)> {
        Some(match self {
            Self::MemberStateKey | Self::MemberMembership => (Section::Top, ".1"),
            Self::JoinOther => (Section::Join, ".2"),
            Self::JoinBanned => (Section::Join, ".3"),
            Self::JoinRule => (
                Section::Join,
                if version >= RoomVersion::V8 { ".7" } else { ".6" },
            ),
            Self::JoinAuthoriser => (Section::Join, ".5.2"),
            Self::ThirdPartyBanned => (Section::Invite, ".1.1"),
            Self::ThirdPartySigned => (Section::Invite, ".1.2"),
            Self::ThirdPartyFields => (Section::Invite, ".1.3"),
            Self::ThirdPartyUser => (Section::Invite, ".1.4"),
            Self::ThirdPartyToken => (Section::Invite, ".1.5"),
            Self::ThirdPartySender => (Section::Invite, ".1.6"),
            Self::ThirdPartySignature => (Section::Invite, ".1.8"),
            Self::InviteSender => (Section::Invite, ".2"),
            Self::InviteTarget => (Section::Invite, ".3"),
            Self::InvitePower => (Section::Invite, ".5"),
            Self::LeaveNotIn => (Section::Leave, ".1"),
            Self::KickSender => (Section::Leave, ".2"),
            Self::UnbanPower => (Section::Leave, ".3"),
            Self::KickPower => (Section::Leave, ".5"),
            Self::BanSender => (Section::Ban, ".1"),
            Self::BanPower => (Section::Ban, ".3"),
            Self::KnockJoinRule => (Section::Knock, ".1"),
            Self::KnockOther => (Section::Knock, ".2"),
            Self::KnockMembership => (Section::Knock, ".4"),
            Self::MembershipUnknown => (Section::Unknown, ""),
            _ => return None,
        })
    }
}

/// The number of the rule about `m.room.member`: versions 6 to 11 have no rule about aliases before it, and
/// version 12 has one about room ids.
fn member_number(version: RoomVersion) -> u8 {
    5 - shift(version)
}

fn shift(version: RoomVersion) -> u8 {
    u8::from((RoomVersion::V6..=RoomVersion::V11).contains(&version))
}

impl Section {
    /// Version 8 put the authoriser's signature at 2, before all memberships; knocks come from 7 on.
    fn number(self, version: RoomVersion) -> String {
        let moved = u8::from(version >= RoomVersion::V8);
        let number = match self {
            Self::Top => return String::new(),
            Self::Join => 2,
            Self::Invite => 3,
            Self::Leave => 4,
            Self::Ban => 5,
            Self::Knock => 6,
            Self::Unknown if version >= RoomVersion::V7 => 7,
            Self::Unknown => 6,
        };
        format!(".{}", number + moved)
    }
}

/// An event was refused: by which rule of which room version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// The rule.
    pub rule: Rule,
    /// The room version.
    pub version: RoomVersion,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let section = self.rule.section(self.version);
        write!(
            f,
            "{:?} (rooms/v{} §Authorisation rules {section})",
            self.rule, self.version
        )
    }
}
