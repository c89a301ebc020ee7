// Made by `npm run types` from openapi.json.
export interface paths {
    "/api/v1/channels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the channels that this node follows and publishes */
        get: operations["getChannels"];
        put?: never;
        /** Follow a channel, make one, or take the key of one */
        post: operations["postChannels"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a channel */
        get: operations["getChannelsOne"];
        put?: never;
        post?: never;
        /** Unfollow a channel, or give up an own one */
        delete: operations["deleteChannelsOne"];
        options?: never;
        head?: never;
        /** Change a channel */
        patch: operations["patchChannelsOne"];
        trace?: never;
    };
    "/api/v1/channels/{id}/entries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List what is in a channel, without files */
        get: operations["getChannelsEntries"];
        put?: never;
        /** Put something into an own channel */
        post: operations["postChannelsEntries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/entries/{entry}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Take something out of an own channel */
        delete: operations["deleteChannelsEntries"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/channels/{id}/publish": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Publish an own channel now */
        post: operations["postChannelsPublish"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Settings with their sources */
        get: operations["getConfig"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change settings that are live; what was changed is kept over restarts */
        patch: operations["patchConfig"];
        trace?: never;
    };
    "/api/v1/config/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Forget what a setting was changed to */
        delete: operations["deleteConfig"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/entries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the catalogue says of an ID */
        get: operations["getEntriesOne"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What happens, as server-sent events */
        get: operations["getEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/folders": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List a folder of the host */
        get: operations["getFolders"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the node does its work; 503 when not */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Rates over time */
        get: operations["getHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Limits of the node */
        get: operations["getLimits"];
        /** Limit the node */
        put: operations["putLimits"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether strangers can reach this node */
        get: operations["getNetwork"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/network/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Have routers and peers tell anew whether strangers can reach this node; takes up to 25 seconds */
        post: operations["postNetworkTest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/node": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Describe the node */
        get: operations["getNode"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the page has a password */
        get: operations["getPassword"];
        /** Set the password of the page */
        put: operations["putPassword"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Look at a link or torrent without adding it */
        post: operations["postPreview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Search what this node has and the channels it follows */
        get: operations["getSearch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/shares": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Share a file or folder */
        post: operations["postShares"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Make a link that signs one browser in */
        post: operations["postSign-in"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Totals of the node */
        get: operations["getStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List transfers, oldest first */
        get: operations["getTransfers"];
        put?: never;
        /** Fetch what a link or torrent names */
        post: operations["postTransfers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Show a transfer */
        get: operations["getTransfersOne"];
        put?: never;
        post?: never;
        /** Remove a transfer */
        delete: operations["deleteTransfersOne"];
        options?: never;
        head?: never;
        /** Change limits and goal of a transfer */
        patch: operations["patchTransfersOne"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/archive": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All files of a transfer as one, also while they are being fetched */
        get: operations["getTransfersArchive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/discovery": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How peers of a transfer are found */
        get: operations["getTransfersDiscovery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/files": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the files of a transfer */
        get: operations["getTransfersFiles"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Choose files */
        patch: operations["patchTransfersFiles"];
        trace?: never;
    };
    "/api/v1/transfers/{id}/files/{file}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Read a file, also while it is being fetched */
        get: operations["getTransfersFilesContent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Latest lines of the log of a transfer */
        get: operations["getTransfersLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a transfer */
        post: operations["postTransfersPause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/peers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the connected peers */
        get: operations["getTransfersPeers"];
        put?: never;
        /** Offer addresses of peers */
        post: operations["postTransfersPeers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/pieces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** State of every piece */
        get: operations["getTransfersPieces"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a transfer */
        post: operations["postTransfersResume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/torrent": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The .torrent file of a transfer */
        get: operations["getTransfersTorrent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/transfers/{id}/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hash the data on disk again */
        post: operations["postTransfersVerify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/uploads/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keep a file so that it can be shared */
        post: operations["postUploads"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AddressReport: {
            /** Format: ip */
            address: string;
            /** @description how the verdict is known; empty where nothing is */
            evidence: string;
            interface: string;
            /** @description stable, temporary, deprecated, tentative or unknown */
            kind: string;
            /** Format: int32 */
            port: number;
            /** @description told to others, and in links */
            published: boolean;
            /** @description global, ula or link-local */
            scope: string;
            /** @enum {string} */
            tcp: "reachable" | "unreachable" | "unknown";
            /**
             * Format: date-time
             * @description of the evidence
             */
            time?: string;
            /** @enum {string} */
            udp: "reachable" | "unreachable" | "unknown";
            udp_evidence?: string;
            /** Format: date-time */
            udp_time?: string;
        };
        Addresses: {
            addresses: string[] | null;
        };
        Change: {
            goal?: components["schemas"]["Goal"];
            limits?: components["schemas"]["Limits"];
        };
        Channel: {
            about?: string;
            /** @description ID of the catalogue in use */
            content?: string;
            /**
             * Format: int64
             * @description entries that are here
             */
            entries: number;
            /** @description what went wrong last, one sentence */
            error?: string;
            /** @description what the channel is called here: its public key, 64 hex digits; where its link has a salt, a hash of both */
            key: string;
            /**
             * Format: int64
             * @description entries that were not fetched since they do not fit, or do not tell their size
             */
            left?: number;
            link: string;
            /**
             * Format: int64
             * @description bytes that are fetched of it at most without being asked; 0: nothing is
             */
            mirror: number;
            /**
             * Format: int64
             * @description bytes of these that are taken
             */
            mirrored?: number;
            name: string;
            /** @description its key is here */
            own: boolean;
            /** @description it has changes that are not published, or a newer version that is not here yet */
            pending: boolean;
            restoring: boolean;
            /**
             * Format: int64
             * @description sequence of the newest version that was seen; -1 for none
             */
            seq: number;
            /**
             * Format: date-time
             * @description when that came
             */
            updated?: string;
        };
        ChannelChange: {
            /** @description of an own one */
            about?: string;
            /**
             * Format: int64
             * @description of a followed one, in bytes; 0 ends it
             */
            mirror?: number;
            /** @description of an own one */
            name?: string;
        };
        DHTReport: {
            /**
             * Format: int64
             * @description of them, heard in the last 15 minutes
             */
            answering: number;
            /**
             * Format: int64
             * @description known
             */
            nodes: number;
            problem?: string;
        };
        Entry: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        EntryFile: {
            path: string;
            /** Format: int64 */
            size: number;
        };
        ErrorDetail: {
            /** @description Where the error occurred, e.g. 'body.items[3].tags' or 'path.thing-id' */
            location?: string;
            /** @description Error message text */
            message?: string;
            /** @description The value at the given location */
            value?: unknown;
        };
        Event: {
            /** Format: int64 */
            count?: number;
            event: string;
            id: string;
            message?: string;
            source?: string;
            /** Format: date-time */
            time: string;
            transfer?: components["schemas"]["Transfer"];
            was?: string;
        };
        FetchRequest: {
            /** @description globs over the paths inside; all when empty */
            files?: string[] | null;
            /** @description when to stop seeding; the node's own when left out */
            goal?: components["schemas"]["Goal"];
            limits?: components["schemas"]["Limits"];
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            no_trackers?: boolean;
            /** @description folder to put it in, absolute; the node's downloads when empty */
            output?: string;
            paused?: boolean;
            /** @description fetch in order */
            sequential?: boolean;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        File: {
            /** Format: int64 */
            bytes: number;
            /** Format: int64 */
            index: number;
            path: string;
            /** Format: int32 */
            priority: number;
            /** Format: int64 */
            total: number;
        };
        Folder: {
            /** @description folders first, by name; hidden ones are left out */
            entries: components["schemas"]["FolderEntry"][];
            /**
             * Format: int64
             * @description entries that are not listed, there are too many
             */
            more?: number;
            /** @description empty at the top */
            parent?: string;
            path: string;
        };
        FolderEntry: {
            folder: boolean;
            name: string;
            /**
             * Format: int64
             * @description bytes of a file
             */
            size: number;
        };
        GatewayProblem: {
            error: string;
            /** @description PCP or UPnP */
            method: string;
        };
        Goal: {
            /** Format: int64 */
            for?: number;
            none?: boolean;
            /** Format: double */
            ratio?: number;
        };
        Health: {
            ok: boolean;
            /** @description plain sentences; what is wrong does not always make the node unhealthy */
            problems: string[] | null;
        };
        History: {
            /** @description bytes per second */
            down: number[];
            /**
             * Format: date-time
             * @description end of the last step
             */
            end: string;
            /**
             * Format: int64
             * @description seconds from one rate to the next
             */
            step: number;
            /** @description bytes per second */
            up: number[];
        };
        Hit: {
            about?: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            files?: components["schemas"]["EntryFile"][] | null;
            id: string;
            link: string;
            name: string;
            /** Format: double */
            rank: number;
            snippet?: string;
            tags?: string[] | null;
            /** Format: date-time */
            time?: string;
        };
        Info: {
            /** @description own addresses as links carry them, best first */
            addresses: string[] | null;
            /**
             * Format: int64
             * @description version of the API
             */
            api: number;
            /** @description changes with each start */
            boot: string;
            daemon: boolean;
            /** @description where fetched content goes unless told otherwise */
            downloads: string;
            /**
             * Format: int64
             * @description free bytes where fetched content goes; -1 when not known
             */
            free: number;
            /** @description ADDRESS:PORT that peers reach over TCP, and the DHT over UDP */
            listen: string[] | null;
            /** @description shoal */
            name: string;
            /** Format: int64 */
            pid: number;
            /** @description what is wrong with the node's own files, each with what to do: keys of channels, credentials */
            problems?: string[] | null;
            /** @description path of the Unix socket of this API */
            socket: string;
            /** Format: date-time */
            started: string;
            /** @description state directory */
            state: string;
            /** @description folder there of the copies that browsers gave: what is shared right from it can be deleted with its share */
            uploads: string;
            /** @description version of the program */
            version: string;
            /** @description URL of the web page; empty when it is not served */
            web: string;
        };
        Limits: {
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            up: number;
        };
        LogLine: {
            /** Format: int64 */
            count?: number;
            event: string;
            message?: string;
            source?: string;
            /** Format: date-time */
            time: string;
        };
        NewChannel: {
            about?: string;
            /** @description follow this: magnet:?xs=urn:btpk:KEY, or a bare key */
            link?: string;
            /**
             * Format: int64
             * @description fetch what is in it, up to so many bytes; left out, one that is followed already keeps what it has
             */
            mirror?: number;
            /** @description make one of this name */
            name?: string;
            /** @description a key as shoal channel export writes it */
            secret?: string;
        };
        NewEntries: {
            about?: string;
            /** @description transfers of this node */
            ids?: string[] | null;
            /** @description what need not be here */
            links?: string[] | null;
            tags?: string[] | null;
        };
        NodeLimits: {
            /** Format: int64 */
            down: number;
            now: components["schemas"]["Limits"];
            /** @description why they differ from the ones set */
            reason?: string;
            /** @description where the ones set come from */
            source: string;
            /** Format: int64 */
            up: number;
        };
        Page: {
            entries: components["schemas"]["Entry"][] | null;
            /** Format: int64 */
            total: number;
        };
        Password: {
            password: string;
        };
        PasswordState: {
            set: boolean;
        };
        Peer: {
            address: string;
            client: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            encrypted: boolean;
            incoming: boolean;
            /** Format: double */
            progress: number;
            source: string;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
            utp: boolean;
        };
        Pieces: {
            /** Format: int64 */
            length: number;
            state: string;
        };
        Pinhole: {
            /** Format: ip */
            address: string;
            error?: string;
            /** @description address of the router that was asked */
            gateway: string;
            /** @description PCP or UPnP */
            method: string;
            /** Format: int32 */
            port: number;
            /** @enum {string} */
            protocol: "tcp" | "udp";
            /**
             * Format: date-time
             * @description when the lease ends unless it is renewed; absent where it is not open
             */
            until?: string;
        };
        Preview: {
            /** @description empty when only the link is known */
            files: components["schemas"]["File"][] | null;
            /**
             * Format: int64
             * @description free bytes there; -1 when not known
             */
            free: number;
            id: string;
            link: string;
            name: string;
            /** @description where it would go */
            output: string;
            /** @description addresses in the link */
            peers: string[] | null;
            present?: components["schemas"]["Transfer"];
            private: boolean;
            /**
             * Format: int64
             * @description bytes; 0 when not known
             */
            size: number;
            trackers: string[] | null;
            web_seeds: string[] | null;
        };
        PreviewRequest: {
            /** @description magnet link, ID, or URL of a .torrent file */
            link?: string;
            /** @description content of a .torrent file, base64 */
            torrent?: string;
        };
        Priorities: {
            /** @description by file number: -1 skip, 0 normal, 1 high */
            priorities: {
                [key: string]: number;
            };
        };
        Problem: {
            /**
             * @description what the caller can do about it
             * @enum {string}
             */
            code: "failed" | "usage" | "nobody" | "no-node" | "refused" | "disk" | "interrupted";
            /** @description what went wrong and, where there is something to do, what */
            detail: string;
            errors?: components["schemas"]["ErrorDetail"][] | null;
            /**
             * Format: int64
             * @description HTTP status
             */
            status: number;
            /** @description the type in words */
            title: string;
            /**
             * Format: uri-reference
             * @example /api/v1/problems/refused
             */
            type: string;
        };
        Report: {
            /** @description those in links first */
            addresses: components["schemas"]["AddressReport"][] | null;
            /** @description one sentence */
            answer: string;
            /** @description absent where the DHT is off */
            dht?: components["schemas"]["DHTReport"];
            /** @description ways of asking the router for pinholes that do not work, and why */
            gateways: components["schemas"]["GatewayProblem"][] | null;
            /** @description what to do next */
            next: string;
            /** @description asked of the router, open or not */
            pinholes: components["schemas"]["Pinhole"][] | null;
            /** @description what others say our address is */
            seen: components["schemas"]["SeenAs"][] | null;
            /**
             * @description whether a stranger's TCP connection to an address in the links succeeds
             * @enum {string}
             */
            verdict: "reachable" | "unreachable" | "unknown";
        };
        Results: {
            hits: components["schemas"]["Hit"][] | null;
            /** @description there are more matches than total: another word or filter tells them apart */
            more: boolean;
            /**
             * Format: int64
             * @description matches that were ranked, the newest 800 at most; limit and offset choose among them
             */
            total: number;
        };
        SeenAs: {
            /** Format: ip */
            address: string;
            /** @enum {string} */
            by: "dht" | "peers";
            /**
             * Format: int64
             * @description how many said so; 0 for most of the DHT
             */
            count?: number;
        };
        Setting: {
            default: string;
            help: string;
            /** @description a change takes effect without a restart */
            live: boolean;
            name: string;
            /** @enum {string} */
            source: "flag" | "environment" | "file" | "saved" | "default";
            /** @description as it would be written; elements of a list by commas */
            value: string;
            /** @description the elements where it is a list */
            values?: string[] | null;
            /** @description the flag, the variable or the file */
            where?: string;
            /** @description the API can change it */
            writable: boolean;
        };
        ShareRequest: {
            follow_symlinks?: boolean;
            /** @description when to stop seeding; the node's own when left out */
            goal?: components["schemas"]["Goal"];
            limits?: components["schemas"]["Limits"];
            /** @description name in the link; that of the path when empty */
            name?: string;
            /** @description file or folder, absolute */
            path: string;
            /**
             * Format: int64
             * @description bytes a piece, a power of two from 16 KiB; 0 chooses by size
             */
            piece_length?: number;
            /** @description never announced (BEP 27) */
            private?: boolean;
        };
        SignIn: {
            /** @description valid once, for a short while */
            url: string;
        };
        Stats: {
            /**
             * Format: int64
             * @description open connections to peers
             */
            connections: number;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /**
             * Format: int64
             * @description free bytes where fetched content goes; -1 when not known
             */
            free: number;
            limits: components["schemas"]["Limits"];
            /**
             * Format: int64
             * @description connections turned away
             */
            refused: number;
            /** @description transfers by state */
            states: {
                [key: string]: number;
            };
            /** Format: int64 */
            transfers: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
        };
        Transfer: {
            /** Format: date-time */
            added: string;
            /** Format: int64 */
            bytes: number;
            channel?: string;
            code?: string;
            /** Format: date-time */
            completed?: string;
            /** Format: int64 */
            down: number;
            /** Format: int64 */
            downloaded: number;
            /** Format: int64 */
            files: number;
            goal: components["schemas"]["Goal"];
            id: string;
            limits: components["schemas"]["Limits"];
            link: string;
            /** Format: date-time */
            looked?: string;
            name: string;
            own: boolean;
            path: string;
            /** Format: int64 */
            peers: number;
            reason?: string;
            /** Format: int64 */
            seeds: number;
            /** Format: int64 */
            size: number;
            state: string;
            /** Format: int64 */
            total: number;
            /** Format: int64 */
            up: number;
            /** Format: int64 */
            uploaded: number;
        };
        Uploaded: {
            /** Format: int64 */
            bytes: number;
            /** @description the first element of the folder it is in, to be given with the next file of the same */
            folder?: string;
            /** @description of the file */
            path: string;
            /** @description path to be shared: of the folder, else of the file */
            root: string;
        };
        Way: {
            /** @description it is being asked now */
            busy?: boolean;
            /** @description why the last attempt failed */
            error?: string;
            /**
             * Format: int64
             * @description addresses it told of that were new, since the node started; of a tracker, those in its last answer
             */
            found: number;
            /**
             * Format: date-time
             * @description when it last answered
             */
            last?: string;
            /** @description of a tracker: its URL */
            name?: string;
            /**
             * Format: date-time
             * @description when it is asked next
             */
            next?: string;
            /** @description it is used for this transfer */
            on: boolean;
            source: string;
        };
        Welcome: {
            /**
             * Format: int64
             * @description newest version of the API
             */
            api: number;
            name: string;
            /**
             * Format: int64
             * @description oldest version still spoken
             */
            oldest: number;
            version: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewChannel"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsOne: {
        parameters: {
            query?: {
                /** @description also one of this node's own, and its key with it */
                own?: boolean;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchChannelsOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChannelChange"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getChannelsEntries: {
        parameters: {
            query?: {
                limit?: number;
                /** @description entries to leave out first */
                offset?: number;
            };
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Page"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEntries"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteChannelsEntries: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
                /** @description ID, 40 hex digits */
                entry: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postChannelsPublish: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description key, may be shortened while unique, or name */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Channel"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchConfig: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    [key: string]: string;
                };
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Setting"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteConfig: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEntriesOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, or the beginning of one */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Entry"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getEvents: {
        parameters: {
            query?: {
                /** @description peers:ID, pieces:ID, files:ID, log:ID, discovery:ID, node, by commas */
                topics?: string;
                /** @description only these IDs, by commas */
                transfers?: string;
                /** @description whether the totals of the node are wanted */
                stats?: boolean;
            };
            header?: {
                /** @description continue after this event */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What happens, as server-sent events */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getFolders: {
        parameters: {
            query?: {
                /** @description absolute; where people keep their files when left out */
                path?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Folder"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getHistory: {
        parameters: {
            query?: {
                /** @description the last hour by seconds, the last day by minutes, or the last 31 days by hours */
                span?: "hour" | "day" | "month";
                /** @description ID of a transfer, may be shortened while unique; the whole node when left out */
                transfer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["History"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Limits"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NodeLimits"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNetwork: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postNetworkTest: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getNode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Info"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PasswordState"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putPassword: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Password"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postPreview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preview"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getSearch: {
        parameters: {
            query?: {
                /** @description words, "phrases", -not, file:, tag:, channel:NAME, type:video, size:>1G, since:2026-01, before:2026 */
                q?: string;
                /** @description only from this channel, by its key; me is this node */
                channel?: string;
                /** @description hits to return; 50 when left out */
                limit?: number;
                /** @description hits to leave out first */
                offset?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Results"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postShares: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ShareRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    "postSign-in": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SignIn"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Stats"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfers: {
        parameters: {
            query?: {
                /** @description members to return, by commas; all when left out */
                fields?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"][];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FetchRequest"];
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Transfer"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    deleteTransfersOne: {
        parameters: {
            query?: {
                /** @description delete what was fetched, too, or the copy that a browser gave; what was shared from its own place is never deleted */
                data?: boolean;
            };
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersOne: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersArchive: {
        parameters: {
            query?: {
                format?: "zip" | "tar";
                /** @description only what is in this folder of the transfer */
                path?: string;
            };
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All files of a transfer as one, also while they are being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersDiscovery: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Way"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFiles: {
        parameters: {
            query?: {
                /** @description members to return, by commas; all when left out */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["File"][];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patchTransfersFiles: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Priorities"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersFilesContent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
                /** @description number of the file, from 0 */
                file: number;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Read a file, also while it is being fetched */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLine"][] | null;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPeers: {
        parameters: {
            query?: {
                /** @description members to return, by commas; all when left out */
                fields?: string;
            };
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Peer"][];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersPeers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Addresses"];
            };
        };
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersPieces: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pieces"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersResume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getTransfersTorrent: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The .torrent file of a transfer */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/x-bittorrent": string;
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postTransfersVerify: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description ID, may be shortened while unique */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description No Content */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    postUploads: {
        parameters: {
            query?: {
                /** @description path of the folder that several files come in, with slashes */
                folder?: string;
                /** @description the first element of folder was made by an earlier upload; else it is made, under another name where there is one of that name */
                join?: boolean;
            };
            header?: never;
            path: {
                /** @description name of the file */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description OK */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Uploaded"];
                };
            };
            /** @description It did not work */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
