package actions

import (
	"net/http"

	"heroes/session/sessiontest"

	"example/models"

	"github.com/gobuffalo/httptest"
)

func (as *ActionSuite) Test_Sessions_a_flash_is_shown_once() {
	as.App.SessionStore = store // suite has put another one there
	browser := httptest.New(sessiontest.Browser(as.App))
	as.Equal(http.StatusSeeOther, browser.HTML("/widgets").Post(&models.Widget{Name: "a cape"}).Code)
	as.Contains(browser.HTML("/widgets").Get().Body.String(), "successfully created")
	as.NotContains(browser.HTML("/widgets").Get().Body.String(), "successfully created")
	n, err := as.DB.Count("sessions")
	as.NoError(err)
	as.Equal(1, n)
}
